/* The smallest foreign program: no C library, its own _start. It writes a greeting and leaves with status 0.
 * The binary beside it is made by tests/programs/hello/build. */
	.syntax	unified
	.arch	armv7-a
	.global _start
	.text
	.arm
_start:
	mov	r0, #1			/* standard output */
	ldr	r1, =greeting
	mov	r2, #greeting_end - greeting
	mov	r7, #4			/* write */
	svc	#0
	blx	leave
	.pool

	.thumb
	.thumb_func
leave:
	movs	r0, #0
	movs	r7, #248		/* exit_group */
	svc	#0

	.section .rodata
greeting:
	.ascii	"Hello from an arm program.\n"
greeting_end:
