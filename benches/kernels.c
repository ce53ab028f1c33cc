/* Small kernels, one a run:  kernels NAME  prints "checksum seconds". The same source for the host and for every guest. */
#define _GNU_SOURCE
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint32_t state = 12345;
static uint32_t random32(void) { return state = state * 1664525u + 1013904223u; }
static volatile int one = 1;

/* integer */
static int __attribute__((noinline)) ackermann(int m, int n)
{
	return m == 0 ? n + one : n == 0 ? ackermann(m - 1, one) : ackermann(m - 1, ackermann(m, n - 1));
}
static uint64_t calls(void) { return (uint64_t)ackermann(3, 10); }

static uint64_t collatz(void)
{
	uint64_t longest = 0;
	for (uint32_t i = 1; i < 900000; i++) {
		uint64_t length = 0;
		for (uint64_t n = i; n != 1; length++)
			n = n & 1 ? 3 * n + 1 : n / 2;
		if (length > longest)
			longest = length;
	}
	return longest;
}

static uint64_t queens_from(uint32_t columns, uint32_t left, uint32_t right, uint32_t all)
{
	uint64_t count = 0;
	if (columns == all)
		return 1;
	for (uint32_t free = all & ~(columns | left | right); free; free &= free - 1) {
		uint32_t bit = free & -free;
		count += queens_from(columns | bit, (left | bit) << 1, (right | bit) >> 1, all);
	}
	return count;
}
static uint64_t queens(void) { return queens_from(0, 0, 0, (1u << 13) - 1); }

static uint64_t hashes(void)
{
	static uint64_t table[1 << 16];
	uint64_t found = 0;
	for (int i = 0; i < 12000000; i++) {
		uint64_t key = random32() % 60000 + 1, at = key * 0x9e3779b97f4a7c15u >> 48;
		while (table[at] && table[at] != key)
			at = (at + 1) & 0xffff;
		found += table[at] == key;
		table[at] = key;
	}
	return found;
}

static int descending(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x < y) - (x > y);
}
static uint64_t sort(void)
{
	enum { N = 1200000 };
	uint32_t *a = malloc(N * sizeof *a);
	for (int i = 0; i < N; i++)
		a[i] = random32();
	qsort(a, N, sizeof *a, descending);
	return a[0] ^ a[N / 3];
}

/* a machine of eight operations: an indirect jump each */
static uint64_t machine(void)
{
	static const unsigned char program[] = {0, 1, 2, 3, 1, 4, 2, 5, 6, 3, 0, 4, 7};
	uint32_t a = 1, b = 2, pc = 0;
	for (uint32_t left = 60000000; left; left--) {
		switch (program[pc]) {
		case 0: a += b; break;
		case 1: b ^= a >> 3; break;
		case 2: a = a << 7 | a >> 25; break;
		case 3: b -= a; break;
		case 4: a ^= 0x5bd1e995; break;
		case 5: b = b * 33; break;
		case 6: a |= 1; break;
		default: pc = (uint32_t)-1; break;
		}
		pc++;
	}
	return a ^ (uint64_t)b << 32;
}

static uint64_t divisions(void)
{
	uint64_t sum = 0;
	for (uint32_t i = 1; i < 6000000; i++)
		sum += 0xfedcba9876543210u / (i * 2654435761u | 1) + (int32_t)i % (int32_t)(random32() | 1);
	return sum;
}

/* memory and strings */
static uint64_t strings(void)
{
	enum { N = 1 << 16 };
	char *text = malloc(N + 1), *copy = malloc(N + 1);
	uint64_t sum = 0;
	for (int i = 0; i < N; i++)
		text[i] = (char)('a' + random32() % 26);
	text[N] = 0;
	for (int i = 0; i < 2500; i++) {
		text[i] = '!';
		sum += strlen(text) + (uint64_t)(strchr(text, '!') - text);
		strcpy(copy, text);
		sum += (uint64_t)(strcmp(copy, text) == 0) + (memchr(copy, '~', N) == NULL);
	}
	return sum;
}

static uint64_t copies(void)
{
	enum { N = 1 << 20 };
	char *a = malloc(N), *b = malloc(N);
	uint64_t sum = 0;
	memset(a, 3, N);
	for (int i = 0; i < 3000; i++) {
		memcpy(b + i % 64, a, N - 64);
		memmove(a, b + 1, N - 65);
		a[i] = (char)i;
		sum += (unsigned char)b[i * 7 % N];
	}
	return sum;
}

static uint64_t lists(void)
{
	enum { N = 1 << 18 };
	uint32_t *next = malloc(N * sizeof *next), at = 0;
	for (uint32_t i = 0; i < N; i++)
		next[i] = (i * 2891336453u + 12345) & (N - 1);
	for (int i = 0; i < 20000000; i++)
		at = next[at ^ (uint32_t)(i & 1)];
	return at;
}

/* floating point */
static uint64_t bits(double d)
{
	uint64_t u;
	memcpy(&u, &d, 8);
	return u;
}
static uint64_t orbits(void)
{
	double x[4] = {0, 1, 5.2, 9.5}, y[4] = {0, 0.1, 0.3, -0.2}, u[4] = {0}, v[4] = {0, 6.2, 2.7, 2.0}, m[4] = {39.5, 1e-4, 0.037, 0.011};
	for (int step = 0; step < 1500000; step++) {
		for (int i = 0; i < 4; i++)
			for (int j = i + 1; j < 4; j++) {
				double dx = x[j] - x[i], dy = y[j] - y[i], d = dx * dx + dy * dy + 1e-9, f = 1e-4 / (d * sqrt(d));
				u[i] += dx * f * m[j], v[i] += dy * f * m[j], u[j] -= dx * f * m[i], v[j] -= dy * f * m[i];
			}
		for (int i = 0; i < 4; i++)
			x[i] += u[i] * 1e-4, y[i] += v[i] * 1e-4;
	}
	return bits(x[1]) ^ bits(y[2]);
}

static uint64_t fractal(void)
{
	uint64_t inside = 0;
	for (int py = 0; py < 500; py++)
		for (int px = 0; px < 500; px++) {
			double cx = px / 250.0 - 1.5, cy = py / 250.0 - 1, zx = 0, zy = 0;
			int i = 0;
			for (; i < 200 && zx * zx + zy * zy < 4; i++) {
				double t = zx * zx - zy * zy + cx;
				zy = 2 * zx * zy + cy, zx = t;
			}
			inside += i == 200;
		}
	return inside;
}

static uint64_t functions(void)
{
	double sum = 0;
	for (int i = 1; i < 3000000; i++)
		sum += sin(i * 0.001) * exp(-i * 1e-6) + log(i) + pow(i, 0.3);
	return (uint64_t)(sum * 1000);
}

/* vectors: loops that compilers vectorize */
static uint64_t product(void)
{
	enum { N = 256 };
	static float a[N][N], b[N][N], c[N][N];
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++)
			a[i][j] = (float)(i ^ j), b[i][j] = (float)(i - j);
	for (int round = 0; round < 12; round++)
		for (int i = 0; i < N; i++)
			for (int k = 0; k < N; k++)
				for (int j = 0; j < N; j++)
					c[i][j] += a[i][k] * b[k][j];
	return (uint64_t)(int64_t)c[17][33];
}

static uint64_t blend(void)
{
	enum { N = 1 << 16 };
	static uint8_t a[N], b[N], out[N];
	uint64_t sum = 0;
	for (int i = 0; i < N; i++)
		a[i] = (uint8_t)i, b[i] = (uint8_t)(i >> 3);
	for (int round = 0; round < 2500; round++) {
		for (int i = 0; i < N; i++)
			out[i] = (uint8_t)((a[i] * 3 + b[i] + round) >> 2);
		for (int i = 0; i < N; i++)
			sum += (uint64_t)abs(out[i] - a[i]);
	}
	return sum;
}

/* system */
static uint64_t system_calls(void)
{
	uint64_t sum = 0;
	for (int i = 0; i < 600000; i++)
		sum += (uint64_t)(syscall(SYS_getppid) > 0);
	return sum;
}

static uint64_t times(void)
{
	struct timespec t;
	uint64_t sum = 0;
	for (int i = 0; i < 3000000; i++)
		sum += (uint64_t)(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	return sum;
}

static volatile uint64_t handled;
static void handle(int number) { handled += (uint64_t)number; }
static uint64_t signals(void)
{
	signal(SIGUSR1, handle);
	for (int i = 0; i < 150000; i++)
		raise(SIGUSR1);
	return handled;
}

static char *page;
static void open_page(int number, siginfo_t *info, void *context)
{
	(void)number, (void)info, (void)context;
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
}
static uint64_t faults(void)
{
	struct sigaction action = {.sa_flags = SA_SIGINFO};
	action.sa_sigaction = open_page;
	sigaction(SIGSEGV, &action, NULL);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 60000; i++) {
		mprotect(page, 4096, PROT_NONE);
		page[i & 4095]++;
	}
	return (uint64_t)page[5];
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t shared;
static void *count(void *unused)
{
	for (int i = 0; i < 4000000; i++) {
		pthread_mutex_lock(&mutex);
		shared++;
		pthread_mutex_unlock(&mutex);
	}
	return unused;
}
static uint64_t locks(void)
{
	pthread_t thread[2];
	for (int i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, count, NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	return shared;
}

static uint64_t atomics(void)
{
	for (int i = 0; i < 40000000; i++)
		__atomic_fetch_add(&shared, 3, __ATOMIC_SEQ_CST);
	return shared;
}

static const struct { const char *name; uint64_t (*run)(void); } kernels[] = {
	{"calls", calls}, {"collatz", collatz}, {"queens", queens}, {"hashes", hashes}, {"sort", sort}, {"machine", machine},
	{"divisions", divisions}, {"strings", strings}, {"copies", copies}, {"lists", lists}, {"orbits", orbits}, {"fractal", fractal},
	{"functions", functions}, {"product", product}, {"blend", blend}, {"system_calls", system_calls}, {"times", times},
	{"signals", signals}, {"faults", faults}, {"locks", locks}, {"atomics", atomics},
};

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int arguments, char **argument)
{
	for (size_t i = 0; arguments > 1 && i < sizeof kernels / sizeof *kernels; i++)
		if (strcmp(kernels[i].name, argument[1]) == 0) {
			double start = now();
			uint64_t checksum = kernels[i].run();
			printf("%llu %.6f\n", (unsigned long long)checksum, now() - start);
			return 0;
		}
	return 2;
}
