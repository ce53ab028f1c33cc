/* C11 atomics of each size under contention, the fences' promises, and the guest's own exclusive instructions. */
#include "ok.h"
#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 4, ROUNDS = 30000 };

static void run_all(void *(*body)(void *))
{
	pthread_t thread[THREADS];
	for (intptr_t i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, body, (void *)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

/* Neighbours in one word: a narrow atomic must leave the bytes beside it alone. */
#define SIZE(T)                                                                                                        \
	static struct { _Atomic T before, value, after; } box_##T;                                                     \
	static _Atomic T flips_##T, most_##T;                                                                          \
	static void *add_##T(void *who)                                                                                \
	{                                                                                                              \
		for (int i = 0; i < ROUNDS; i++) {                                                                     \
			atomic_fetch_add(&box_##T.value, (T)3);                                                        \
			atomic_fetch_sub(&box_##T.value, (T)2);                                                        \
			atomic_fetch_xor(&flips_##T, (T)1 << (intptr_t)who);                                           \
			T old = atomic_load(&most_##T);                                                                \
			while (!atomic_compare_exchange_weak(&most_##T, &old, (T)(old + 1)))                           \
				;                                                                                      \
			atomic_fetch_add_explicit((intptr_t)who & 1 ? &box_##T.before : &box_##T.after, (T)1, memory_order_relaxed); \
		}                                                                                                      \
		return NULL;                                                                                           \
	}                                                                                                              \
	static void test_##T(void)                                                                                     \
	{                                                                                                              \
		run_all(add_##T);                                                                                      \
		T all = (T)(THREADS * ROUNDS), half = (T)(THREADS / 2 * ROUNDS);                                       \
		ok("atomic " #T, box_##T.value == all && flips_##T == 0 && most_##T == all);                           \
		ok("neighbours of atomic " #T, box_##T.before == half && box_##T.after == half);                       \
		T wrong = (T)(all + 1);                                                                                \
		ok("failed exchange of " #T, !atomic_compare_exchange_strong(&box_##T.value, &wrong, (T)0) && wrong == all); \
		ok("exchange of " #T, atomic_exchange(&box_##T.value, (T)5) == all && atomic_fetch_or(&box_##T.value, (T)8) == 5 \
			&& atomic_fetch_and(&box_##T.value, (T)12) == 13 && box_##T.value == 12);                      \
	}
SIZE(uint8_t)
SIZE(uint16_t)
SIZE(uint32_t)
SIZE(uint64_t)

/* Message passing: whoever sees the flag sees the data. */
static long data[64];
static _Atomic int flag;
static int torn;
static void *message(void *who)
{
	for (int i = 1; i <= 20000; i++) {
		if ((intptr_t)who == 0) {
			while (atomic_load_explicit(&flag, memory_order_acquire) != 2 * i - 2)
				;
			for (int j = 0; j < 64; j += 7)
				data[j] = i;
			atomic_store_explicit(&flag, 2 * i - 1, memory_order_release);
		} else if ((intptr_t)who == 1) {
			while (atomic_load_explicit(&flag, memory_order_acquire) != 2 * i - 1)
				;
			for (int j = 0; j < 64; j += 7)
				torn += data[j] != i;
			atomic_store_explicit(&flag, 2 * i, memory_order_release);
		}
	}
	return NULL;
}

/* Dekker: with sequential consistency, two stores followed by two loads cannot both miss each other. */
static _Atomic int x, y, gate;
static int saw[2];
static long both_missed;
static void *dekker(void *who)
{
	int me = (int)(intptr_t)who;
	if (me > 1)
		return NULL;
	for (int i = 1; i <= 10000; i++) {
		atomic_store(me ? &y : &x, i);
		saw[me] = atomic_load(me ? &x : &y);
		atomic_fetch_add(&gate, 1);
		while (atomic_load(&gate) < 4 * i - 2)
			;
		if (me == 0 && saw[0] != i && saw[1] != i)
			both_missed++;
		atomic_fetch_add(&gate, 1);
		while (atomic_load(&gate) < 4 * i)
			;
	}
	return NULL;
}

static _Atomic uint64_t wide;
static _Atomic int wide_torn;
static void *tear(void *who)
{
	uint64_t value = (intptr_t)who & 1 ? 0x1111111111111111u : 0xeeeeeeeeeeeeeeeeu;
	for (int i = 0; i < ROUNDS; i++) {
		atomic_store(&wide, value);
		uint64_t seen = atomic_load(&wide);
		if (seen != 0x1111111111111111u && seen != 0xeeeeeeeeeeeeeeeeu)
			atomic_fetch_add(&wide_torn, 1);
	}
	return NULL;
}

#ifdef __aarch64__
static __attribute__((aligned(16))) uint64_t couple[2];
static void *couples(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t a, b;
		uint32_t failed;
		__asm__ volatile("1: ldaxp %0, %1, %3\n add %0, %0, #1\n sub %1, %1, #1\n stlxp %w2, %0, %1, %3\n cbnz %w2, 1b"
			: "=&r"(a), "=&r"(b), "=&r"(failed), "+Q"(couple) : : "memory");
	}
	return unused;
}
static int exclusives(void)
{
	run_all(couples);
	uint32_t failed;
	uint64_t value;
	/* a store-exclusive after the monitor was cleared fails, and leaves memory alone */
	__asm__ volatile("ldxr %0, %2\n clrex\n stxr %w1, xzr, %2" : "=&r"(value), "=&r"(failed), "+Q"(couple) : : "memory");
	return couple[0] == THREADS * ROUNDS && couple[1] == (uint64_t) - (THREADS * ROUNDS) && failed == 1;
}
#elif defined(__arm__) && __ARM_ARCH >= 7
static uint64_t couple;
static void *couples(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t v;
		uint32_t failed;
		__asm__ volatile("1: ldrexd %Q0, %R0, [%2]\n adds %Q0, %Q0, #1\n adc %R0, %R0, #1\n strexd %1, %Q0, %R0, [%2]\n teq %1, #0\n bne 1b"
			: "=&r"(v), "=&r"(failed) : "r"(&couple) : "memory", "cc");
	}
	return unused;
}
static int exclusives(void)
{
	run_all(couples);
	uint32_t failed, value;
	__asm__ volatile("ldrex %0, [%2]\n clrex\n strex %1, %0, [%2]" : "=&r"(value), "=&r"(failed) : "r"(&couple) : "memory");
	return couple == THREADS * ROUNDS * 0x100000001ull && failed == 1;
}
#elif defined(__riscv)
static uint64_t couple;
static void *couples(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t v, failed;
		__asm__ volatile("1: lr.d %0, (%2)\n addi %0, %0, 1\n sc.d %1, %0, (%2)\n bnez %1, 1b\n amoadd.w zero, %3, (%4)"
			: "=&r"(v), "=&r"(failed) : "r"(&couple), "r"(1), "r"((uint32_t *)&couple + 1) : "memory");
	}
	return unused;
}
static int exclusives(void)
{
	run_all(couples);
	uint64_t failed, value;
	/* a store-conditional ends the reservation, whether it stored or not */
	__asm__ volatile("lr.d %0, (%2)\n sc.d %1, %0, (%2)\n sc.d %1, zero, (%2)" : "=&r"(value), "=&r"(failed) : "r"(&couple) : "memory");
	return couple == THREADS * ROUNDS * 0x100000001ull && failed == 1;
}
#else
static int exclusives(void) { return 1; }
#endif

/* Pairs of registers loaded and stored exclusively, one thread alone, through a pointer with a tag, which stays in the register. */
static void pairs(void)
{
	int stored = 1, kept = 1;
#ifdef __aarch64__
	static __int128 cell __attribute__((aligned(16)));
	uint64_t tagged = (uint64_t)&cell | 0x5aull << 56;
	*(volatile uint64_t *)tagged = 5;
	for (int i = 0; i < 10; i++) {
		register uint64_t base asm("x27") = tagged;
		uint64_t seen, status;
		asm volatile("add x12, x25, x26\n add x13, x26, x24\n ldaxp x9, x10, [x27]\n add x9, x9, #1\n"
			     "stlxp w11, x9, x10, [x27]\n add x12, x25, x24\n mov %0, x27\n mov %1, x11"
			     : "=r"(seen), "=r"(status)
			     : "r"(base)
			     : "x9", "x10", "x11", "x12", "x13", "memory");
		kept &= seen == tagged;
		stored &= status == 0;
	}
	stored &= cell == 15;
#endif
	ok("pairs stored", stored);
	ok("their address kept", kept);
}

int main(void)
{
	pairs();
	test_uint8_t();
	test_uint16_t();
	test_uint32_t();
	test_uint64_t();
	run_all(message);
	same("release and acquire", torn, 0);
	run_all(dekker);
	same("sequential consistency", both_missed, 0);
	run_all(tear);
	same("64-bit accesses are whole", wide_torn, 0);
	ok("exclusive pairs", exclusives());
	return done();
}
