/* Waiting for descriptors: pipes, poll, select, epoll; and the descriptors made for it: eventfd, signalfd, timerfd, inotify. */
#include "ok.h"
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>

static void pipes(void)
{
	int p[2];
	char text[100000];
	same("pipe2", pipe2(p, O_NONBLOCK | O_CLOEXEC), 0);
	ok("its flags", fcntl(p[0], F_GETFL) & O_NONBLOCK && fcntl(p[0], F_GETFD) == FD_CLOEXEC);
	fails("an empty pipe", read(p[0], text, 1), EAGAIN);
	same("a full pipe", write(p[1], text, sizeof text), 65536);
	fails("and no more", write(p[1], text, 1), EAGAIN);
	int waiting = 0;
	same("FIONREAD", ioctl(p[0], FIONREAD, &waiting) == 0 ? waiting : -1, 65536);
	same("a larger pipe", fcntl(p[1], F_SETPIPE_SZ, 1 << 18), 1 << 18);
	same("takes more", write(p[1], text, 4096), 4096);
	close(p[1]);
	ssize_t all = 0;
	for (ssize_t n; (n = read(p[0], text, sizeof text)) > 0;)
		all += n;
	same("read to the end", all, 65536 + 4096);
	pipe2(p, O_DIRECT);
	write(p[1], "abc", 3), write(p[1], "defg", 4);
	ok("packets", read(p[0], text, 100) == 3 && read(p[0], text, 100) == 4);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void note(int number) { (void)number; }

static void poll_and_select(void)
{
	int p[2];
	pipe(p);
	struct pollfd fds[3] = {{.fd = p[0], .events = POLLIN}, {.fd = p[1], .events = POLLOUT}, {.fd = -1, .revents = 99}};
	ok("poll", poll(fds, 3, 0) == 1 && fds[0].revents == 0 && fds[1].revents == POLLOUT && fds[2].revents == 0);
	double start = now();
	ok("poll's time limit", poll(fds, 1, 30) == 0 && now() - start >= 0.029 && now() - start < 20);
	write(p[1], "x", 1);
	ok("poll after a write", poll(fds, 2, -1) == 2 && fds[0].revents == POLLIN);
	fd_set in, out;
	struct timeval limit = {5, 0};
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(p[0], &in), FD_SET(p[1], &out);
	ok("select", select(p[1] + 1, &in, &out, NULL, &limit) == 2 && FD_ISSET(p[0], &in) && FD_ISSET(p[1], &out));
	ok("select leaves the rest of the time", limit.tv_sec == 4 && limit.tv_usec > 0);
	read(p[0], &limit, 1);
	FD_SET(p[0], &in);
	limit = (struct timeval){0, 10000};
	ok("select's time limit", select(p[0] + 1, &in, NULL, NULL, &limit) == 0 && !FD_ISSET(p[0], &in) && limit.tv_usec == 0);
	close(p[1]);
	ok("a closed writer", poll(fds, 1, 0) == 1 && fds[0].revents == POLLHUP);
	fds[0].fd = p[1];
	ok("a bad descriptor", poll(fds, 1, 0) == 1 && fds[0].revents == POLLNVAL);
	FD_SET(40, &in);
	fails("select of a bad descriptor", select(41, &in, NULL, NULL, &limit), EBADF);
	sigset_t block, none;
	sigemptyset(&block), sigemptyset(&none);
	sigaddset(&block, SIGUSR1);
	signal(SIGUSR1, note);
	sigprocmask(SIG_BLOCK, &block, NULL);
	raise(SIGUSR1);
	struct timespec second = {1, 0};
	fails("ppoll with a mask", ppoll(NULL, 0, &second, &none), EINTR);
	raise(SIGUSR1);
	fails("pselect with a mask", pselect(0, NULL, NULL, NULL, &second, &none), EINTR);
	raise(SIGUSR1);
	int ep = epoll_create1(0);
	fails("epoll_pwait with a mask", epoll_pwait(ep, &(struct epoll_event){0}, 1, 1000, &none), EINTR);
	sigprocmask(SIG_UNBLOCK, &block, NULL);
}

static void epolls(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), p[2], q[2];
	pipe2(p, O_NONBLOCK), pipe2(q, O_NONBLOCK);
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x123456789abcdef0ull}, got[4];
	same("EPOLL_CTL_ADD", epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &event), 0);
	fails("twice", epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &event), EEXIST);
	same("nothing yet", epoll_wait(ep, got, 4, 0), 0);
	write(p[1], "ab", 2);
	ok("its data", epoll_wait(ep, got, 4, -1) == 1 && got[0].events == EPOLLIN && got[0].data.u64 == 0x123456789abcdef0ull);
	same("level", epoll_wait(ep, got, 4, 0), 1);
	event = (struct epoll_event){.events = EPOLLIN | EPOLLET, .data.u32 = 7};
	epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &event);
	ok("edge", epoll_wait(ep, got, 4, 0) == 1 && got[0].data.u32 == 7 && epoll_wait(ep, got, 4, 0) == 0);
	event.events = EPOLLIN | EPOLLONESHOT;
	epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &event);
	ok("one shot", epoll_wait(ep, got, 4, 0) == 1 && (write(p[1], "c", 1), epoll_wait(ep, got, 4, 0)) == 0);
	event = (struct epoll_event){.events = EPOLLIN, .data.u32 = 1};
	epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &event);
	event = (struct epoll_event){.events = EPOLLIN | EPOLLRDHUP, .data.u32 = 2};
	epoll_ctl(ep, EPOLL_CTL_ADD, q[0], &event);
	write(q[1], "x", 1);
	ok("two", epoll_wait(ep, got, 4, 1000) == 2 && got[0].data.u32 + got[1].data.u32 == 3);
	same("EPOLL_CTL_DEL", epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL), 0);
	close(q[1]);
	ok("a hang-up", epoll_wait(ep, got, 4, 0) == 1 && got[0].data.u32 == 2 && got[0].events == (EPOLLIN | EPOLLHUP));
	int file = open("file", O_CREAT | O_RDWR, 0600);
	fails("a file", epoll_ctl(ep, EPOLL_CTL_ADD, file, &event), EPERM);
	fails("no events", epoll_wait(ep, got, 0, 0), EINVAL);
	int outer = epoll_create(1);
	same("an epoll in an epoll", epoll_ctl(outer, EPOLL_CTL_ADD, ep, &event) ?: epoll_wait(outer, got, 1, 0), 1);
	struct timespec limit = {0, 1000000};
	epoll_ctl(ep, EPOLL_CTL_DEL, q[0], NULL);
	same("epoll_pwait2", syscall(SYS_epoll_pwait2, ep, got, 4, sizeof(long) == 8 ? (void *)&limit : (void *)(long long[]){0, 1000000}, NULL, 8), 0);
}

static void many(void)
{
	enum { COUNT = 1500 };
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = COUNT + 100;
	same("room for many", setrlimit(RLIMIT_NOFILE, &limit), 0);
	static struct epoll_event got[2 * COUNT];
	static char seen[COUNT + 100];
	int ep = epoll_create1(0), fds[COUNT], all = 0;
	for (int i = 0; i < COUNT; i++) {
		fds[i] = eventfd(1, 0);
		epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &(struct epoll_event){.events = EPOLLIN, .data.u32 = i});
	}
	int n = epoll_wait(ep, got, 2 * COUNT, 0);
	same("as many events as there are", n, COUNT);
	for (int i = 0; i < n; i++)
		all += !seen[got[i].data.u32]++;
	same("each once", all, COUNT);
	same("as many as there is room for", epoll_wait(ep, got, COUNT - 1, 0), COUNT - 1);
	fails("too many", epoll_wait(ep, got, INT_MAX, 0), EINVAL);
	fails("where nothing can be", epoll_wait(ep, (void *)-4096l, 1, 0), EFAULT);
	for (int i = 0; i < COUNT; i++)
		close(fds[i]);
	close(ep);
}

static void events(void)
{
	uint64_t value = 5;
	int fd = eventfd(3, EFD_NONBLOCK);
	write(fd, &value, 8);
	ok("eventfd", read(fd, &value, 8) == 8 && value == 8);
	fails("an empty one", read(fd, &value, 8), EAGAIN);
	fails("a short read", read(fd, &value, 4), EINVAL);
	fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	ok("a semaphore", read(fd, &value, 8) == 8 && value == 1 && read(fd, &value, 8) == 8 && read(fd, &value, 8) == -1);
}

static void signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1), sigaddset(&set, SIGRTMIN + 3), sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	struct signalfd_siginfo info[3];
	fails("no signal", read(fd, info, sizeof info), EAGAIN);
	raise(SIGUSR1);
	sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = -5});
	ok("signalfd", read(fd, info, sizeof info) == 2 * sizeof *info && info[0].ssi_signo == SIGUSR1 && info[0].ssi_pid == (uint32_t)getpid()
		&& info[1].ssi_signo == (uint32_t)SIGRTMIN + 3 && info[1].ssi_int == -5 && info[1].ssi_code == SI_QUEUE);
	pid_t child = fork();
	if (child == 0)
		_exit(3);
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	ok("a child's end", poll(&wait, 1, 20000) == 1 && read(fd, info, sizeof *info) == sizeof *info && info[0].ssi_signo == SIGCHLD && info[0].ssi_status == 3 && info[0].ssi_pid == (uint32_t)child);
	ended(child);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void timers(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct itimerspec often = {{0, 5000000}, {0, 1000000}}, left;
	uint64_t ticks = 0;
	fails("not started", read(fd, &ticks, 8), EAGAIN);
	same("timerfd_settime", timerfd_settime(fd, 0, &often, NULL), 0);
	ok("timerfd_gettime", timerfd_gettime(fd, &left) == 0 && left.it_interval.tv_nsec == 5000000);
	usleep(40000);
	ok("ticks", read(fd, &ticks, 8) == 8 && ticks >= 5 && ticks < 1000);
	struct itimerspec once = {{0, 0}, {1, 0}};
	timerfd_settime(fd, TFD_TIMER_ABSTIME, &once, NULL);
	ok("an absolute time in the past", poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 20000) == 1 && read(fd, &ticks, 8) == 8 && ticks == 1);
}

static void watches(void)
{
	int fd = inotify_init1(IN_NONBLOCK), other;
	mkdir("watched", 0700);
	int watch = inotify_add_watch(fd, "watched", IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVE | IN_CLOSE_WRITE);
	ok("a watch", watch > 0);
	other = creat("watched/a-name", 0600);
	write(other, "x", 1);
	close(other);
	rename("watched/a-name", "watched/b");
	unlink("watched/b");
	char buffer[4096] __attribute__((aligned(8))), seen[200] = "";
	uint32_t cookie[2] = {0, 1}, moves = 0;
	ssize_t length = read(fd, buffer, sizeof buffer);
	for (char *at = buffer; at < buffer + length;) {
		struct inotify_event *event = (void *)at;
		snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%x:%s ", event->mask, event->name);
		if (event->cookie && moves < 2)
			cookie[moves++] = event->cookie;
		at += sizeof *event + event->len;
	}
	ok("events", strcmp(seen, "100:a-name 2:a-name 8:a-name 40:a-name 80:b 200:b ") == 0);
	ok("the move's cookie", moves == 2 && cookie[0] == cookie[1]);
	same("removed", inotify_rm_watch(fd, watch), 0);
	fails("twice", inotify_rm_watch(fd, watch), EINVAL);
}

int main(void)
{
	pipes();
	poll_and_select();
	epolls();
	many();
	events();
	signals();
	timers();
	watches();
	return done();
}
