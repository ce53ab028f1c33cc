/* Threads: mutexes of each kind, condition variables, barriers, read-write locks, thread-local storage, cancellation. */
#include "ok.h"
#include <fenv.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>

enum { THREADS = 8, ROUNDS = 20000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *count(void *mutex)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(mutex);
		counter++;
		pthread_mutex_unlock(mutex);
	}
	return NULL;
}

static void run_all(void *(*body)(void *), void *argument)
{
	pthread_t thread[THREADS];
	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, body, argument);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

static void mutexes(void)
{
	run_all(count, &mutex);
	same("mutex", counter, THREADS * ROUNDS);

	pthread_mutexattr_t attribute;
	pthread_mutexattr_init(&attribute);
	pthread_mutexattr_settype(&attribute, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_t recursive;
	pthread_mutex_init(&recursive, &attribute);
	pthread_mutex_lock(&recursive);
	same("recursive mutex", pthread_mutex_lock(&recursive), 0);

	pthread_mutexattr_settype(&attribute, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_t checked;
	pthread_mutex_init(&checked, &attribute);
	pthread_mutex_lock(&checked);
	same("checked mutex", pthread_mutex_lock(&checked), EDEADLK);
	struct timespec past = {1, 0};
	pthread_mutex_unlock(&checked);

	pthread_mutex_lock(&mutex);
	same("timed lock", pthread_mutex_timedlock(&mutex, &past), ETIMEDOUT);
	pthread_mutex_unlock(&mutex);

	pthread_mutexattr_t heir;
	pthread_mutexattr_init(&heir);
	pthread_mutexattr_setprotocol(&heir, PTHREAD_PRIO_INHERIT);
	pthread_mutex_t inheriting;
	same("priority-inheriting mutex", pthread_mutex_init(&inheriting, &heir), 0);
	counter = 0;
	run_all(count, &inheriting);
	same("priority-inheriting mutex counts", counter, THREADS * ROUNDS);
}

static pthread_mutex_t robust;
static void *die_holding(void *unused) { pthread_mutex_lock(&robust); return unused; }

static void robust_mutex(void)
{
	pthread_mutexattr_t attribute;
	pthread_mutexattr_init(&attribute);
	pthread_mutexattr_setrobust(&attribute, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&robust, &attribute);
	pthread_t thread;
	pthread_create(&thread, NULL, die_holding, NULL);
	pthread_join(thread, NULL);
	same("robust mutex", pthread_mutex_lock(&robust), EOWNERDEAD);
	same("made consistent", pthread_mutex_consistent(&robust), 0);
	pthread_mutex_unlock(&robust);
}

static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int turn;

static void *ping_pong(void *argument)
{
	int me = (int)(intptr_t)argument;
	for (int i = 0; i < 5000; i++) {
		pthread_mutex_lock(&mutex);
		while (turn % 2 != me)
			pthread_cond_wait(&condition, &mutex);
		turn++;
		pthread_cond_broadcast(&condition);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void conditions(void)
{
	pthread_t thread[2];
	for (intptr_t i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, ping_pong, (void *)i);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	same("condition variable", turn, 10000);
	struct timespec when;
	clock_gettime(CLOCK_REALTIME, &when);
	when.tv_nsec += 20000000;
	if (when.tv_nsec >= 1000000000)
		when.tv_nsec -= 1000000000, when.tv_sec++;
	pthread_mutex_lock(&mutex);
	same("timed wait", pthread_cond_timedwait(&condition, &mutex, &when), ETIMEDOUT);
	pthread_mutex_unlock(&mutex);
}

static pthread_barrier_t barrier;
static int serial, phase[THREADS], wrong;
static void *meet(void *unused)
{
	static int next;
	int me = __atomic_fetch_add(&next, 1, __ATOMIC_SEQ_CST);
	for (int i = 1; i <= 200; i++) {
		__atomic_store_n(&phase[me], i, __ATOMIC_RELEASE);
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
			__atomic_fetch_add(&serial, 1, __ATOMIC_SEQ_CST);
		for (int j = 0; j < THREADS; j++)
			if (__atomic_load_n(&phase[j], __ATOMIC_ACQUIRE) < i)
				wrong = 1;
	}
	return unused;
}

static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static long pair[2];
static void *read_write(void *unused)
{
	for (int i = 0; i < 5000; i++) {
		if (i % 4 == 0) {
			pthread_rwlock_wrlock(&rw);
			pair[0]++, pair[1]++;
		} else {
			pthread_rwlock_rdlock(&rw);
			if (pair[0] != pair[1])
				wrong = 1;
		}
		pthread_rwlock_unlock(&rw);
	}
	return unused;
}

static __thread long mine = 7;
static __thread char room[5000];
static pthread_key_t key;
static int destroyed;
static void destroy(void *value) { __atomic_fetch_add(&destroyed, (int)(intptr_t)value, __ATOMIC_SEQ_CST); }
static void *locals(void *unused)
{
	if (mine != 7 || room[4999] != 0)
		wrong = 1;
	for (int i = 0; i < 1000; i++)
		mine += i, room[i] = 1;
	pthread_setspecific(key, (void *)(intptr_t)3);
	if (mine != 7 + 499500)
		wrong = 1;
	return unused;
}

static int cleaned;
static void clean(void *unused) { cleaned = unused == NULL; }
static void *wait_for_ever(void *semaphore)
{
	pthread_cleanup_push(clean, NULL);
	sem_post(semaphore);
	for (;;)
		pause();
	pthread_cleanup_pop(0);
	return NULL;
}

static void *spin_for_ever(void *semaphore)
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	sem_post(semaphore);
	for (volatile long i = 0;; i++)
		;
	return NULL;
}

static void cancellation(void)
{
	sem_t semaphore;
	void *result;
	pthread_t thread;
	sem_init(&semaphore, 0, 0);
	pthread_create(&thread, NULL, wait_for_ever, &semaphore);
	sem_wait(&semaphore);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	ok("cancelled while blocked", result == PTHREAD_CANCELED && cleaned);
	pthread_create(&thread, NULL, spin_for_ever, &semaphore);
	sem_wait(&semaphore);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	ok("cancelled while running", result == PTHREAD_CANCELED);
}

static void *name_self(void *tid)
{
	char name[16] = "";
	pthread_setname_np(pthread_self(), "a thread");
	pthread_getname_np(pthread_self(), name, sizeof name);
	*(long *)tid = syscall(SYS_gettid);
	return (void *)(intptr_t)(strcmp(name, "a thread") == 0);
}

static void *short_life(void *unused) { return unused; }

static int short_lives(int count)
{
	int made = 0;
	pthread_t thread;
	for (int i = 0; i < count; i++)
		made += pthread_create(&thread, NULL, short_life, NULL) == 0 && pthread_join(thread, NULL) == 0;
	return made;
}

/* What a thread may change of itself, and what the next one must not begin with. */
static void *leave_traces(void *unused)
{
	stack_t stack = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
	sigset_t all;
	sigfillset(&all);
	fesetround(FE_UPWARD);
	feraiseexcept(FE_DIVBYZERO | FE_INEXACT);
	return sigaltstack(&stack, NULL) == 0 && pthread_sigmask(SIG_BLOCK, &all, NULL) == 0 ? unused : NULL;
}

static void *find_traces(void *unused)
{
	stack_t stack;
	sigset_t mask;
	sigaltstack(NULL, &stack);
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	int clean = fegetround() == FE_TONEAREST && (fetestexcept(FE_DIVBYZERO) == 0 || FE_DIVBYZERO == 0) && stack.ss_flags == SS_DISABLE && !sigismember(&mask, SIGUSR1);
	return clean ? unused : NULL;
}

static void traces(void)
{
	pthread_t thread;
	void *left = NULL, *clean = NULL;
	int all = 1;
	feclearexcept(FE_ALL_EXCEPT);
	for (int i = 0; i < 20; i++) {
		pthread_create(&thread, NULL, leave_traces, &mutex);
		pthread_join(thread, &left);
		pthread_create(&thread, NULL, find_traces, &mutex);
		pthread_join(thread, &clean);
		all &= left && clean;
	}
	ok("a thread begins as its maker is", all);
}

static int enough;
static void *come_and_go(void *unused)
{
	while (!__atomic_load_n(&enough, __ATOMIC_RELAXED))
		short_lives(1);
	return unused;
}

/* Children of a fork make threads, whatever the parent's were about. */
static void forks(void)
{
	pthread_t thread[2];
	int right = 0;
	for (int i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, come_and_go, NULL);
	for (int i = 0; i < 50; i++) {
		pid_t child = fork();
		if (child == 0)
			_exit(short_lives(50));
		right += ended(child) == 50;
	}
	__atomic_store_n(&enough, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	same("threads in children that were forked while others ended", right, 50);
}

int main(void)
{
	mutexes();
	robust_mutex();
	conditions();
	pthread_barrier_init(&barrier, NULL, THREADS);
	run_all(meet, NULL);
	ok("barrier", serial == 200 && !wrong);
	run_all(read_write, NULL);
	ok("read-write lock", !wrong && pair[0] == THREADS * 1250);
	pthread_key_create(&key, destroy);
	run_all(locals, NULL);
	ok("thread-local storage", !wrong && mine == 7);
	same("destructors of thread-specific data", destroyed, 3 * THREADS);
	cancellation();
	long tid = 0;
	void *named;
	pthread_t thread;
	pthread_create(&thread, NULL, name_self, &tid);
	pthread_join(thread, &named);
	ok("thread name", named != NULL);
	ok("thread id", tid != 0 && tid != getpid() && syscall(SYS_gettid) == getpid());
	same("many short threads", short_lives(500), 500);
	traces();
	forks();
	return done();
}
