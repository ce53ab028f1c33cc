/* Functions that tell position-independent code where it stands, as compilers write them for 32 bits, and what becomes of their callers when they change. */
#include "ok.h"
#include <sys/mman.h>

#ifdef __i386__
__asm__(".pushsection .text\n"
	".balign 4096\n"
	"thunk: movl (%esp), %ebx\n"
	"ret\n"
	".balign 4096\n"
	"where: pushl %ebx\n"
	"xorl %ebx, %ebx\n"
	"call thunk\n"
	"behind: movl %ebx, %eax\n"
	"popl %ebx\n"
	"ret\n"
	".popsection");
extern char thunk[], behind[];
extern unsigned where(void);

static void becomes(const char *code)
{
	mprotect(thunk, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	memcpy(thunk, code, 4);
	mprotect(thunk, 4096, PROT_READ | PROT_EXEC);
}

static unsigned beyond(void) { return where() - (unsigned)behind; }
static unsigned itself(void) { return where(); }
#else
static unsigned is;
static void becomes(const char *code) { is = code[0] == '\x8b' ? 0 : 1; }
static unsigned beyond(void) { return 0; }
static unsigned itself(void) { return is; }
#endif

int main(void)
{
	for (int i = 0; i < 3000; i++)
		if (beyond() != 0)
			return 1;
	same("the address behind the call", beyond(), 0);
	becomes("\x43\x90\x90\xc3"); /* inc %ebx */
	same("another function in its place", itself(), 1);
	becomes("\x8b\x1c\x24\xc3");
	same("and the first again", beyond(), 0);
	return done();
}
