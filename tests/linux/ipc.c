/* Between processes: System V memory, semaphores and messages, POSIX queues and semaphores, futexes. */
#include "ok.h"
#include <linux/futex.h>
#include <mqueue.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <time.h>

static void memory(void)
{
	int id = shmget(IPC_PRIVATE, 10000, IPC_CREAT | 0600);
	struct shmid_ds info;
	char *a = shmat(id, NULL, 0), *b = shmat(id, NULL, SHM_RDONLY);
	ok("shmat twice", a != (void *)-1 && b != (void *)-1 && a != b && (strcpy(a, "shared"), strcmp(b, "shared") == 0));
	ok("shmctl", shmctl(id, IPC_STAT, &info) == 0 && info.shm_segsz == 10000 && info.shm_nattch == 2 && info.shm_cpid == getpid() && (info.shm_perm.mode & 0777) == 0600);
	pid_t child = fork();
	if (child == 0) {
		a[100] = 'c';
		_exit(0);
	}
	ended(child);
	same("a child's store", a[100], 'c');
	same("shmdt", shmdt(b), 0);
	fails("shmdt again", shmdt(b), EINVAL);
	same("removed", shmctl(id, IPC_RMID, NULL), 0);
	same("still there", a[100], 'c');
	shmdt(a);
	fails("and gone", shmctl(id, IPC_STAT, &info), EINVAL);
	void *place = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	id = shmget(IPC_PRIVATE, 5000, 0600);
	char *at = (char *)(((uintptr_t)place + SHMLBA - 1) & ~((uintptr_t)SHMLBA - 1));
	same("at a place", (intptr_t)shmat(id, at, SHM_REMAP), (intptr_t)at);
	shmctl(id, IPC_RMID, NULL);
}

union semun { int val; struct semid_ds *buf; unsigned short *array; struct seminfo *info; };

static void semaphores(void)
{
	int id = semget(IPC_PRIVATE, 3, IPC_CREAT | 0600);
	unsigned short values[3] = {1, 2, 3}, read_back[3];
	struct semid_ds info;
	same("SETALL", semctl(id, 0, SETALL, (union semun){.array = values}), 0);
	ok("GETALL", semctl(id, 0, GETALL, (union semun){.array = read_back}) == 0 && memcmp(values, read_back, 6) == 0);
	struct sembuf two[2] = {{0, -1, 0}, {2, 4, SEM_UNDO}};
	same("semop", semop(id, two, 2), 0);
	ok("GETVAL", semctl(id, 0, GETVAL) == 0 && semctl(id, 2, GETVAL) == 7);
	struct sembuf more = {0, -1, IPC_NOWAIT};
	fails("IPC_NOWAIT", semop(id, &more, 1), EAGAIN);
	struct timespec limit = {0, 10000000};
	more.sem_flg = 0;
	fails("semtimedop", semtimedop(id, &more, 1, &limit), EAGAIN);
	pid_t child = fork();
	if (child == 0) {
		semop(id, &(struct sembuf){0, 1, 0}, 1);
		semop(id, &(struct sembuf){1, 5, SEM_UNDO}, 1);
		_exit(0);
	}
	same("a wait", semop(id, &more, 1), 0);
	ended(child);
	ok("SEM_UNDO", semctl(id, 1, GETVAL) == 2 && semctl(id, 1, GETPID) == child);
	ok("IPC_STAT", semctl(id, 0, IPC_STAT, (union semun){.buf = &info}) == 0 && info.sem_nsems == 3);
	same("SETVAL", semctl(id, 1, SETVAL, (union semun){.val = 9}) ?: semctl(id, 1, GETVAL), 9);
	same("IPC_RMID", semctl(id, 0, IPC_RMID), 0);
}

static void messages(void)
{
	int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	struct { long type; char text[20]; } m = {5, "five"};
	struct msqid_ds info;
	same("msgsnd", msgsnd(id, &m, 5, 0), 0);
	m.type = 3, strcpy(m.text, "three");
	msgsnd(id, &m, 6, 0);
	ok("IPC_STAT", msgctl(id, IPC_STAT, &info) == 0 && info.msg_qnum == 2 && info.__msg_cbytes == 11 && info.msg_lspid == getpid());
	fails("no such type", msgrcv(id, &m, 20, 9, IPC_NOWAIT), ENOMSG);
	ok("by type", msgrcv(id, &m, 20, 3, 0) == 6 && m.type == 3 && strcmp(m.text, "three") == 0);
	fails("too long", msgrcv(id, &m, 2, 0, 0), E2BIG);
	ok("cut", msgrcv(id, &m, 2, 0, MSG_NOERROR) == 2 && m.type == 5);
	fails("a bad type", msgsnd(id, &(long[]){0, 0}, 1, 0), EINVAL);
	same("IPC_RMID", msgctl(id, IPC_RMID, NULL), 0);
	key_t key = ftok("/proc/self/exe", 'k');
	int first = msgget(key, IPC_CREAT | 0600);
	ok("a key", first >= 0 && msgget(key, 0) == first);
	fails("IPC_EXCL", msgget(key, IPC_CREAT | IPC_EXCL), EEXIST);
	msgctl(first, IPC_RMID, NULL);
}

static volatile int notified;
static void note(int number, siginfo_t *info, void *context) { (void)context; notified = number == SIGUSR1 && info->si_code == SI_MESGQ ? info->si_value.sival_int : -1; }

static void posix_queues(void)
{
	char name[40], text[100];
	struct mq_attr attributes = {.mq_maxmsg = 5, .mq_msgsize = 50}, seen;
	unsigned priority;
	snprintf(name, sizeof name, "/rqemu-test-%d", getpid());
	mqd_t queue = mq_open(name, O_CREAT | O_RDWR | O_NONBLOCK, 0600, &attributes);
	if (queue < 0 && errno == ENOSYS) {
		printf("no POSIX queues\n");
		return;
	}
	ok("mq_open", queue >= 0);
	ok("mq_getattr", mq_getattr(queue, &seen) == 0 && seen.mq_maxmsg == 5 && seen.mq_msgsize == 50 && seen.mq_flags == O_NONBLOCK);
	struct sigaction action = {.sa_flags = SA_SIGINFO};
	action.sa_sigaction = note;
	sigaction(SIGUSR1, &action, NULL);
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 1234};
	same("mq_notify", mq_notify(queue, &event), 0);
	mq_send(queue, "low", 3, 1), mq_send(queue, "high", 4, 9);
	same("its signal", notified, 1234);
	ok("by priority", mq_receive(queue, text, 100, &priority) == 4 && priority == 9 && mq_receive(queue, text, 100, &priority) == 3 && priority == 1);
	fails("an empty queue", mq_receive(queue, text, 100, NULL), EAGAIN);
	fails("a room too small", mq_receive(queue, text, 10, NULL), EMSGSIZE);
	struct timespec past = {1, 0};
	attributes.mq_flags = 0;
	mq_setattr(queue, &attributes, NULL);
	fails("mq_timedreceive", mq_timedreceive(queue, text, 100, NULL, &past), ETIMEDOUT);
	same("mq_unlink", mq_unlink(name), 0);
}

static long futex(void *word, int operation, uint32_t value, const struct timespec *limit, void *other, uint32_t third)
{
	return syscall(SYS_futex, word, operation, value, limit, other, third);
}

static uint32_t word, other;
static volatile int awake;
static void *sleeper(void *unused)
{
	if (futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) == 0)
		__atomic_fetch_add(&awake, 1, __ATOMIC_SEQ_CST);
	return unused;
}

static void futexes(void)
{
	struct timespec limit = {0, 10000000}, when;
	fails("another value", futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
	fails("a time limit", futex(&word, FUTEX_WAIT, 0, &limit, NULL, 0), ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &when);
	when.tv_sec -= 1;
	fails("an absolute limit", futex(&word, FUTEX_WAIT_BITSET, 0, &when, NULL, ~0u), ETIMEDOUT);
	same("nobody to wake", futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	fails("a loose address", futex((char *)&word + 1, FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
	fails("no address", futex((void *)(intptr_t)4096, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	fails("an unknown operation", futex(&word, 99, 0, NULL, NULL, 0), ENOSYS);
	pthread_t thread[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, sleeper, NULL);
	long woken = 0, moved = 0;
	while (woken + moved < 4) {
		moved += futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)(intptr_t)10, &other, 0);
		usleep(1000);
	}
	same("requeued", moved, 4);
	same("nobody is left", futex(&word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 0);
	same("wake one", futex(&other, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
	same("wake the rest", futex(&other, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 3);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	same("all awake", awake, 4);
	uint32_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child = fork();
	if (child == 0) {
		while (__atomic_load_n(shared, __ATOMIC_SEQ_CST) == 0)
			futex(shared, FUTEX_WAIT, 0, NULL, NULL, 0);
		_exit(21);
	}
	usleep(20000);
	__atomic_store_n(shared, 1, __ATOMIC_SEQ_CST);
	futex(shared, FUTEX_WAKE, 1, NULL, NULL, 0);
	same("between processes", ended(child), 21);
	other = 5, word = 0;
	futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &other, FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5));
	same("FUTEX_WAKE_OP", other, 8);
}

static void posix_semaphores(void)
{
	sem_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sem_init(shared, 1, 0);
	pid_t child = fork();
	if (child == 0) {
		sem_post(shared);
		_exit(0);
	}
	same("a shared semaphore", sem_wait(shared), 0);
	ended(child);
	fails("sem_trywait", sem_trywait(shared), EAGAIN);
	struct timespec past = {1, 0};
	fails("sem_timedwait", sem_timedwait(shared, &past), ETIMEDOUT);
}

int main(void)
{
	memory();
	semaphores();
	messages();
	posix_queues();
	futexes();
	posix_semaphores();
	return done();
}
