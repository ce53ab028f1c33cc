/* Programs that make code: written in place, through a second mapping, replaced, unmapped, by several threads. */
#include "ok.h"
#include <pthread.h>
#include <sys/mman.h>

typedef int (*function)(void);
enum { LENGTH = 16 };

/* Code that returns the value (at most 12 bits). */
static void write_code(void *where, int value)
{
#if defined(__aarch64__)
	uint32_t code[] = {0x52800000u | (uint32_t)value << 5, 0xd65f03c0u}; /* mov w0, #value; ret */
#elif defined(__arm__)
	uint32_t code[] = {0xe3a00000u | (uint32_t)(value & 255), 0xe3800000u | 0xc00u | (uint32_t)(value >> 8), 0xe12fff1eu}; /* mov; orr; bx lr */
#elif defined(__riscv)
	uint32_t code[] = {0x00000537u | (uint32_t)value << 12, 0x00c55513u, 0x00008067u}; /* lui a0, value; srli a0, a0, 12; ret */
#elif defined(__x86_64__) || defined(__i386__)
	uint8_t code[] = {0xb8, (uint8_t)value, (uint8_t)(value >> 8), 0, 0, 0xc3};
#else
#error "no code for this machine"
#endif
	memcpy(where, code, sizeof code);
}

static void flush(void *where) { __builtin___clear_cache((char *)where, (char *)where + LENGTH); }

static int run(void *where, int value)
{
	write_code(where, value);
	flush(where);
	return ((function)where)() == value;
}

static void *map(size_t size, int protection, int flags, int fd)
{
	void *where = mmap(NULL, size, protection, flags, fd, 0);
	return where == MAP_FAILED ? NULL : where;
}

/* Replaces code by a system call, and runs it. */
static int run_read(void *where, int value)
{
	char bytes[LENGTH] = {0};
	int ends[2];
	write_code(bytes, value);
	if (pipe(ends) != 0 || write(ends[1], bytes, LENGTH) != LENGTH || read(ends[0], where, LENGTH) != LENGTH)
		return 0;
	close(ends[0]);
	close(ends[1]);
	flush(where);
	return ((function)where)() == value;
}

/* Code that changes an instruction of its own, which is run next: where the processor notices without being told. */
static int changes_itself(void *where, int rounds)
{
#if defined(__x86_64__) || defined(__i386__)
#ifdef __x86_64__
	/* mov [rip + 1], edi; mov eax, 0; ret: the constant is what was given */
	uint8_t code[] = {0x89, 0x3d, 1, 0, 0, 0, 0xb8, 0, 0, 0, 0, 0xc3};
	/* L: mov [rip + 1], edi; mov eax, 0; add edx, eax; dec edi; jnz L; mov eax, edx; ret */
	uint8_t loop[] = {0x89, 0x3d, 1, 0, 0, 0, 0xb8, 0, 0, 0, 0, 1, 0xc2, 0xff, 0xcf, 0x75, 0xef, 0x89, 0xd0, 0xc3};
#else
	/* mov eax, [esp + 4]; mov [constant], eax; mov eax, 0; ret */
	uint8_t code[] = {0x8b, 0x44, 0x24, 4, 0xa3, 0, 0, 0, 0, 0xb8, 0, 0, 0, 0, 0xc3};
	/* mov ecx, [esp + 4]; mov edx, [esp + 12]; L: mov [constant], ecx; mov eax, 0; add edx, eax; dec ecx; jnz L; mov eax, edx; ret */
	uint8_t loop[] = {0x8b, 0x4c, 0x24, 4, 0x8b, 0x54, 0x24, 12, 0x89, 0x0d, 0, 0, 0, 0, 0xb8, 0, 0, 0, 0, 1, 0xc2, 0x49, 0x75, 0xf0, 0x89, 0xd0, 0xc3};
	uint32_t constants[] = {(uint32_t)where + 10, (uint32_t)where + 64 + 15};
	memcpy(code + 5, &constants[0], 4);
	memcpy(loop + 10, &constants[1], 4);
#endif
	int right = 1;
	memcpy(where, code, sizeof code);
	for (int i = 0; i < rounds; i++)
		right &= ((int (*)(int))where)(i) == i;
	memcpy((char *)where + 64, loop, sizeof loop);
	return right && ((int (*)(int, int, int))((char *)where + 64))(rounds, 0, 5) == rounds * (rounds + 1) / 2 + 5;
#else
	return rounds > 0 && run(where, 1);
#endif
}

/* A function that lives on the stack, with data beside it that changes all the time. */
static int on_stack(void *where, int rounds)
{
	struct {
		char code[LENGTH];
		volatile int data;
	} *both = where;
	int right = run(both, 5);
	for (int i = 0; i < rounds; i++) {
		both->data = i;
		right &= ((function)(void *)both->code)() == 5 && both->data == i;
	}
	return right;
}

static char *views[2];
static volatile int generation;
static int strange;
static void *runner(void *unused)
{
	while (generation < 1000) {
		int before = generation, value = ((function)(views[1] + 2048))(), after = generation;
		if (value < before - 1 || value > after + 1)
			__atomic_fetch_add(&strange, 1, __ATOMIC_SEQ_CST);
	}
	return unused;
}

static void *call(void *where) { return (void *)(intptr_t)((function)where)(); }

int main(void)
{
	enum { SIZE = 65536 };
	int right = 1;
	char *code = map(SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	for (int i = 0; i < 2000; i++)
		right &= run(code, i);
	ok("code written again and again", right);
	for (int i = 0; i < 200; i++)
		right &= run_read(code + 256, i);
	ok("code that a system call writes", right);
	ok("code that changes itself", changes_itself(code + 512, 3000));
	ok("code beside data", on_stack(code + 1024, 3000));
	for (int i = 0; i < 200; i++) {
		pthread_t thread;
		void *result;
		write_code(code, i);
		flush(code);
		right &= pthread_create(&thread, NULL, call, code) == 0 && pthread_join(thread, &result) == 0 && (intptr_t)result == i;
	}
	ok("changed between threads that come and go", right);
	for (int i = 0; i < SIZE / LENGTH; i++)
		write_code(code + i * LENGTH, i & 4095);
	__builtin___clear_cache(code, code + SIZE);
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < SIZE / LENGTH; i++)
			right &= ((function)(code + i * LENGTH))() == (i & 4095);
	ok("many small functions", right);

	for (int i = 0; i < 100; i++) {
		mprotect(code, SIZE, PROT_READ | PROT_WRITE);
		write_code(code, i);
		mprotect(code, SIZE, PROT_READ | PROT_EXEC);
		flush(code);
		right &= ((function)code)() == i;
	}
	ok("never writable and executable", right);

	for (int i = 0; i < 100; i++) {
		char *again = mmap(code, SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		right &= again == code && run(again, 1000 + i);
	}
	ok("mapped anew at the same address", right);

	int fd = memfd_create("code", 0);
	ftruncate(fd, SIZE);
	views[0] = map(SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	views[1] = map(SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, fd);
	for (int i = 0; i < 2000; i++) {
		write_code(views[0] + 64, i);
		flush(views[0] + 64);
		flush(views[1] + 64);
		right &= ((function)(views[1] + 64))() == i;
	}
	ok("written through another mapping", right);

	write_code(views[0] + 4096, 7);
	flush(views[1] + 4096);
	right &= ((function)(views[1] + 4096))() == 7;
	char file_code[LENGTH];
	write_code(file_code, 8);
	pwrite(fd, file_code, LENGTH, 4096);
	flush(views[1] + 4096);
	right &= ((function)(views[1] + 4096))() == 8;
	ok("written through the file", right);

	write_code(views[0] + 2048, 0);
	flush(views[1] + 2048);
	pthread_t thread[2];
	for (int i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, runner, NULL);
	while (generation < 1000) {
#ifdef __arm__
		/* one instruction changes at a time: the value's low byte */
		write_code(views[0] + 2048, generation + 1 < 256 ? generation + 1 : 255);
		if (generation + 1 >= 255)
			break;
#else
		write_code(views[0] + 2048, generation + 1);
#endif
		flush(views[0] + 2048);
		flush(views[1] + 2048);
		generation++;
	}
	generation = 1000;
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	ok("changed under running threads", 1);

	pid_t child = fork();
	if (child == 0)
		_exit(run(code, 77) && ((function)(views[1] + 64))() == 1999 ? 3 : 4);
	same("code after fork", ended(child), 3);
	right = run(code, 78);
	ok("and in the parent", right);
	return done();
}
