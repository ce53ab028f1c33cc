/* What the structs of System V and POSIX IPC tell: owners, times, sizes, counts, in every layout. */
#include "ok.h"
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <time.h>

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

static void semaphores(void)
{
	int set = semget(IPC_PRIVATE, 3, 0640);
	ok("semget", set >= 0);
	union semun arg = {.val = 5};
	same("SETVAL", semctl(set, 1, SETVAL, arg), 0);
	same("GETVAL", semctl(set, 1, GETVAL), 5);
	struct sembuf take = {.sem_num = 1, .sem_op = -2};
	same("semop", semop(set, &take, 1), 0);
	same("what semop left", semctl(set, 1, GETVAL), 3);
	same("GETPID", semctl(set, 1, GETPID), getpid());
	take.sem_op = -9;
	struct timespec soon = {.tv_nsec = 1000000};
	fails("semtimedop's time", semtimedop(set, &take, 1, &soon), EAGAIN);
	take.sem_flg = IPC_NOWAIT;
	fails("IPC_NOWAIT", semop(set, &take, 1), EAGAIN);
	struct semid_ds ds;
	memset(&ds, -1, sizeof ds);
	arg.buf = &ds;
	same("IPC_STAT of a set", semctl(set, 0, IPC_STAT, arg), 0);
	same("sem_nsems", ds.sem_nsems, 3);
	same("sem_perm.mode", ds.sem_perm.mode & 0777, 0640);
	same("sem_perm.uid", ds.sem_perm.uid, geteuid());
	ok("sem_otime", ds.sem_otime > 1600000000 && ds.sem_ctime >= ds.sem_otime - 5);
	ds.sem_perm.mode = 0600;
	same("IPC_SET of a set", semctl(set, 0, IPC_SET, arg), 0);
	semctl(set, 0, IPC_STAT, arg);
	same("a changed mode", ds.sem_perm.mode & 0777, 0600);
	unsigned short values[3] = {7, 8, 9};
	arg.array = values;
	same("SETALL", semctl(set, 0, SETALL, arg), 0);
	memset(values, 0, sizeof values);
	same("GETALL", semctl(set, 0, GETALL, arg), 0);
	same("the third", values[2], 9);
	struct seminfo info;
	memset(&info, 0, sizeof info);
	arg.info = &info;
	ok("IPC_INFO of sets", semctl(0, 0, IPC_INFO, arg) >= 0 && info.semmsl > 0);
	same("IPC_RMID of a set", semctl(set, 0, IPC_RMID), 0);
	fails("a removed set", semctl(set, 0, GETVAL), EINVAL);
}

static void shared_memory(void)
{
	int id = shmget(IPC_PRIVATE, 8192, 0600);
	ok("shmget", id >= 0);
	int *a = shmat(id, NULL, 0), *b = shmat(id, NULL, SHM_RDONLY);
	ok("shmat twice", a != (void *)-1 && b != (void *)-1 && a != b);
	a[1000] = 0x1234567;
	same("one memory", b[1000], 0x1234567);
	struct shmid_ds ds;
	memset(&ds, -1, sizeof ds);
	same("IPC_STAT of memory", shmctl(id, IPC_STAT, &ds), 0);
	same("shm_segsz", ds.shm_segsz, 8192);
	same("shm_nattch", ds.shm_nattch, 2);
	same("shm_cpid", ds.shm_cpid, getpid());
	ok("shm_atime", ds.shm_atime > 1600000000);
	pid_t child = fork();
	if (child == 0) {
		a[0] = 77;
		_exit(shmdt(a));
	}
	same("a child's", ended(child), 0);
	same("what it wrote", b[0], 77);
	same("IPC_RMID of memory", shmctl(id, IPC_RMID, NULL), 0);
	same("memory that is removed stays", b[1000], 0x1234567);
	same("shmdt", shmdt(a) | shmdt(b), 0);
	fails("shmdt again", shmdt(a), EINVAL);
	fails("shmat of what is gone", (long)shmat(id, NULL, 0), EINVAL);
	struct shminfo info;
	ok("IPC_INFO of memory", shmctl(0, IPC_INFO, (void *)&info) >= 0 && info.shmmni > 0);
}

static void messages(void)
{
	int queue = msgget(IPC_PRIVATE, 0600);
	ok("msgget", queue >= 0);
	struct {
		long type;
		char text[16];
	} m = {3, "three"};
	same("msgsnd", msgsnd(queue, &m, 16, 0), 0);
	m.type = 2;
	strcpy(m.text, "two");
	same("another", msgsnd(queue, &m, 4, 0), 0);
	struct msqid_ds ds;
	memset(&ds, -1, sizeof ds);
	same("IPC_STAT of a queue", msgctl(queue, IPC_STAT, &ds), 0);
	same("msg_qnum", ds.msg_qnum, 2);
	same("msg_lspid", ds.msg_lspid, getpid());
	same("msg_lrpid", ds.msg_lrpid, 0);
	ok("msg_qbytes", ds.msg_qbytes >= 1024);
	memset(&m, 0, sizeof m);
	same("the lowest up to 5", msgrcv(queue, &m, 16, -5, 0), 4);
	same("its type", m.type, 2);
	ok("its text", strcmp(m.text, "two") == 0);
	fails("a message too long", msgrcv(queue, &m, 4, 0, 0), E2BIG);
	same("cut off", msgrcv(queue, &m, 4, 0, MSG_NOERROR), 4);
	fails("none left", msgrcv(queue, &m, 16, 0, IPC_NOWAIT), ENOMSG);
	m.type = 0;
	fails("a type of 0", msgsnd(queue, &m, 1, 0), EINVAL);
	same("IPC_RMID of a queue", msgctl(queue, IPC_RMID, NULL), 0);
}

static void posix_queues(void)
{
	char name[40];
	sprintf(name, "/rqemu-test-%d", getpid());
	struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 64};
	mqd_t queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK, 0600, &attr);
	ok("mq_open", queue >= 0);
	same("mq_send", mq_send(queue, "low", 3, 1), 0);
	same("mq_send again", mq_send(queue, "high", 4, 9), 0);
	memset(&attr, -1, sizeof attr);
	same("mq_getattr", mq_getattr(queue, &attr), 0);
	same("mq_msgsize", attr.mq_msgsize, 64);
	same("mq_curmsgs", attr.mq_curmsgs, 2);
	same("mq_flags", attr.mq_flags, O_NONBLOCK);
	char text[64];
	unsigned priority = 0;
	same("mq_receive", mq_receive(queue, text, sizeof text, &priority), 4);
	same("the highest first", priority, 9);
	struct timespec past = {.tv_sec = 1};
	attr.mq_flags = 0;
	same("mq_setattr", mq_setattr(queue, &attr, NULL), 0);
	same("mq_timedreceive", mq_timedreceive(queue, text, sizeof text, &priority, &past), 3);
	fails("its time", mq_timedreceive(queue, text, sizeof text, &priority, &past), ETIMEDOUT);
	signal(SIGUSR1, SIG_IGN);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 4711};
	same("mq_notify", mq_notify(queue, &event), 0);
	mq_send(queue, "x", 1, 0);
	siginfo_t info;
	same("its signal", sigwaitinfo(&set, &info), SIGUSR2);
	same("its value", info.si_value.sival_int, 4711);
	same("its code", info.si_code, SI_MESGQ);
	same("mq_unlink", mq_unlink(name), 0);
	mq_close(queue);
}

int main(void)
{
	semaphores();
	shared_memory();
	messages();
	posix_queues();
	return done();
}
