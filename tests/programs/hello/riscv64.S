/* The smallest foreign program: no C library, its own _start. It writes a greeting and leaves with status 0.
 * The binary beside it is made by tests/programs/hello/build. */
	.global _start
	.text
_start:
	li	a0, 1			# standard output
	la	a1, greeting
	la	a2, greeting_end
	sub	a2, a2, a1
	li	a7, 64			# write
	ecall
	li	a0, 0
	li	a7, 94			# exit_group
	ecall

	.section .rodata
greeting:
	.ascii	"Hello from a riscv64 program.\n"
greeting_end:
