/* A stack of nodes that threads pop and push back: A-B-A. Correct only if a store-exclusive fails whenever another thread
 * stored in between, even the same value, and whether that was by a pair with an access between (pop, push) or without (swap,
 * count), which others were at long before the first pop. Where a machine has no exclusives, the head carries a count instead. */
#include "ok.h"
#include <pthread.h>
#include <stdatomic.h>

enum { NODES = 6, THREADS = 4, ROUNDS = 60000 };

struct node { struct node *next; atomic_int owner; };
static struct node nodes[NODES];

#if defined(__aarch64__)
static struct node *head;
static struct node *pop(void)
{
	struct node *node, *next;
	uint32_t failed;
	__asm__ volatile("1: ldaxr %0, %3\n cbz %0, 2f\n ldr %1, [%0]\n stlxr %w2, %1, %3\n cbnz %w2, 1b\n2:"
		: "=&r"(node), "=&r"(next), "=&r"(failed), "+Q"(head) : : "memory");
	return node;
}
static void push(struct node *node)
{
	struct node *next;
	uint32_t failed;
	__asm__ volatile("1: ldaxr %0, %2\n str %0, [%3]\n stlxr %w1, %3, %2\n cbnz %w1, 1b"
		: "=&r"(next), "=&r"(failed), "+Q"(head) : "r"(node) : "memory");
}
static int swap(struct node *old, struct node *node)
{
	struct node *now;
	uint32_t failed = 1;
	__asm__ volatile("ldaxr %0, %2\n cmp %0, %3\n bne 2f\n stlxr %w1, %4, %2\n2:"
		: "=&r"(now), "+&r"(failed), "+Q"(head) : "r"(old), "r"(node) : "memory", "cc");
	return !failed;
}
static void count(uint64_t *counter)
{
	uint64_t value;
	uint32_t failed;
	__asm__ volatile("1: ldaxr %0, %2\n add %0, %0, #1\n stlxr %w1, %0, %2\n cbnz %w1, 1b"
		: "=&r"(value), "=&r"(failed), "+Q"(*counter) : : "memory");
}
#define HAS_SWAP 1
#elif defined(__arm__) && __ARM_ARCH >= 7
static struct node *head;
static struct node *pop(void)
{
	struct node *node, *next;
	uint32_t failed;
	__asm__ volatile("1: ldrex %0, [%3]\n cmp %0, #0\n beq 2f\n ldr %1, [%0]\n dmb ish\n strex %2, %1, [%3]\n cmp %2, #0\n bne 1b\n2: dmb ish"
		: "=&r"(node), "=&r"(next), "=&r"(failed) : "r"(&head) : "memory", "cc");
	return node;
}
static void push(struct node *node)
{
	struct node *next;
	uint32_t failed;
	__asm__ volatile("1: ldrex %0, [%2]\n str %0, [%3]\n dmb ish\n strex %1, %3, [%2]\n cmp %1, #0\n bne 1b\n dmb ish"
		: "=&r"(next), "=&r"(failed) : "r"(&head), "r"(node) : "memory", "cc");
}
static int swap(struct node *old, struct node *node)
{
	struct node *now;
	uint32_t failed = 1;
	__asm__ volatile("dmb ish\n ldrex %0, [%2]\n cmp %0, %3\n bne 2f\n strex %1, %4, [%2]\n2: dmb ish"
		: "=&r"(now), "+&r"(failed) : "r"(&head), "r"(old), "r"(node) : "memory", "cc");
	return !failed;
}
static void count(uint64_t *counter)
{
	uint32_t value, failed;
	__asm__ volatile("1: ldrex %0, [%2]\n add %0, %0, #1\n strex %1, %0, [%2]\n cmp %1, #0\n bne 1b"
		: "=&r"(value), "=&r"(failed) : "r"(counter) : "memory", "cc");
}
#define HAS_SWAP 1
#elif defined(__riscv)
static struct node *head;
static struct node *pop(void)
{
	struct node *node, *next;
	uint64_t failed;
	__asm__ volatile("1: lr.d.aq %0, (%3)\n beqz %0, 2f\n ld %1, 0(%0)\n sc.d.rl %2, %1, (%3)\n bnez %2, 1b\n2:"
		: "=&r"(node), "=&r"(next), "=&r"(failed) : "r"(&head) : "memory");
	return node;
}
static void push(struct node *node)
{
	struct node *next;
	uint64_t failed;
	__asm__ volatile("1: lr.d.aq %0, (%2)\n sd %0, 0(%3)\n sc.d.rl %1, %3, (%2)\n bnez %1, 1b"
		: "=&r"(next), "=&r"(failed) : "r"(&head), "r"(node) : "memory");
}
static int swap(struct node *old, struct node *node)
{
	struct node *now;
	uint64_t failed = 1;
	__asm__ volatile("lr.d.aq %0, (%2)\n bne %0, %3, 2f\n sc.d.rl %1, %4, (%2)\n2:"
		: "=&r"(now), "+&r"(failed) : "r"(&head), "r"(old), "r"(node) : "memory");
	return !failed;
}
static void count(uint64_t *counter)
{
	uint64_t value, failed;
	__asm__ volatile("1: lr.d.aq %0, (%2)\n addi %0, %0, 1\n sc.d.rl %1, %0, (%2)\n bnez %1, 1b"
		: "=&r"(value), "=&r"(failed) : "r"(counter) : "memory");
}
#define HAS_SWAP 1
#else
/* index + 1 in the low half, a count in the high half */
static _Atomic uint64_t head;
static struct node *pop(void)
{
	uint64_t old = atomic_load(&head), new;
	do {
		if ((uint32_t)old == 0)
			return NULL;
		struct node *next = nodes[(uint32_t)old - 1].next;
		new = ((old >> 32) + 1) << 32 | (next ? (uint32_t)(next - nodes) + 1 : 0);
	} while (!atomic_compare_exchange_weak(&head, &old, new));
	return &nodes[(uint32_t)old - 1];
}
static void push(struct node *node)
{
	uint64_t old = atomic_load(&head), new;
	do {
		node->next = (uint32_t)old ? &nodes[(uint32_t)old - 1] : NULL;
		new = ((old >> 32) + 1) << 32 | ((uint32_t)(node - nodes) + 1);
	} while (!atomic_compare_exchange_weak(&head, &old, new));
}
#endif

#ifdef HAS_SWAP
static void push_by_swap(struct node *node)
{
	struct node *old;
	do {
		old = __atomic_load_n(&head, __ATOMIC_ACQUIRE);
		node->next = old;
	} while (!swap(old, node));
}
#else
#define push_by_swap push
#define count(counter) __atomic_fetch_add(counter, 1, __ATOMIC_SEQ_CST)
#endif

static atomic_int shared_by_two;
static uint64_t counter;

static void *exercise(void *who)
{
	for (int i = 0; i < (int)(intptr_t)who * ROUNDS; i++)
		count(&counter);
	for (int i = 0; i < ROUNDS; i++) {
		struct node *a = pop(), *b = pop();
		if (a && atomic_exchange(&a->owner, 1 + (int)(intptr_t)who) != 0)
			atomic_fetch_add(&shared_by_two, 1);
		if (b && atomic_exchange(&b->owner, 1 + (int)(intptr_t)who) != 0)
			atomic_fetch_add(&shared_by_two, 1);
		/* the first one goes back first: the head is A again, its successor is not */
		if (a)
			atomic_store(&a->owner, 0), push(a);
		if (b)
			atomic_store(&b->owner, 0), push_by_swap(b);
	}
	return NULL;
}

int main(void)
{
	for (int i = 0; i < NODES; i++)
		push(&nodes[i]);
	pthread_t thread[THREADS];
	for (intptr_t i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, exercise, (void *)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	same("every addition counts", counter, ROUNDS * THREADS * (THREADS - 1) / 2);
	same("no node has two owners", shared_by_two, 0);
	int left = 0;
	while (left <= NODES && pop())
		left++;
	same("no node is lost", left, NODES);
	return done();
}
