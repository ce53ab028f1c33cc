/* The smallest foreign program: no C library, its own _start. It writes a greeting and leaves with status 0.
 * The binary beside it is made by tests/programs/hello/build. */
	.global _start
	.text
_start:
	mov	x0, #1			/* standard output */
	adr	x1, greeting
	mov	x2, #greeting_end - greeting
	mov	x8, #64			/* write */
	svc	#0
	mov	x0, #0
	mov	x8, #94			/* exit_group */
	svc	#0

	.section .rodata
greeting:
	.ascii	"Hello from an aarch64 program.\n"
greeting_end:
