/* Rings shared with the kernel: io_uring and asynchronous I/O. */
#include "ok.h"
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <linux/time_types.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

struct ring {
	int fd;
	struct io_uring_params p;
	unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

static int ring_make(struct ring *r, unsigned flags)
{
	memset(r, 0, sizeof *r);
	r->p.flags = flags;
	r->fd = syscall(SYS_io_uring_setup, 8, &r->p);
	if (r->fd < 0)
		return 0;
	size_t sq_size = r->p.sq_off.array + r->p.sq_entries * 4;
	size_t cq_size = r->p.cq_off.cqes + r->p.cq_entries * sizeof(struct io_uring_cqe);
	char *sq = mmap(0, sq_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQ_RING);
	char *cq = mmap(0, cq_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_CQ_RING);
	r->sqes = mmap(0, r->p.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || r->sqes == MAP_FAILED)
		return 0;
	r->sq_tail = (unsigned *)(sq + r->p.sq_off.tail);
	r->sq_mask = (unsigned *)(sq + r->p.sq_off.ring_mask);
	r->sq_array = (unsigned *)(sq + r->p.sq_off.array);
	r->cq_head = (unsigned *)(cq + r->p.cq_off.head);
	r->cq_tail = (unsigned *)(cq + r->p.cq_off.tail);
	r->cq_mask = (unsigned *)(cq + r->p.cq_off.ring_mask);
	r->cqes = (struct io_uring_cqe *)(cq + r->p.cq_off.cqes);
	return 1;
}

static struct io_uring_sqe *entry(struct ring *r, int op, int fd)
{
	unsigned at = *r->sq_tail & *r->sq_mask;
	struct io_uring_sqe *e = &r->sqes[at];
	memset(e, 0, sizeof *e);
	e->opcode = op;
	e->fd = fd;
	e->user_data = 0x123456789abcdef0ull + op;
	r->sq_array[at] = at;
	return e;
}

/* Submits one entry, waits for its completion, gives its result. */
static int submit(struct ring *r)
{
	__atomic_store_n(r->sq_tail, *r->sq_tail + 1, __ATOMIC_RELEASE);
	int n = syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, 0, 0);
	if (n != 1)
		return -1000 - errno;
	unsigned head = *r->cq_head;
	if (head == __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE))
		return -2000;
	int result = r->cqes[head & *r->cq_mask].res;
	if (r->cqes[head & *r->cq_mask].user_data >> 8 != 0x123456789abcdeull && r->cqes[head & *r->cq_mask].user_data >> 8 != 0x123456789abcdfull)
		result = -3000;
	__atomic_store_n(r->cq_head, head + 1, __ATOMIC_RELEASE);
	return result;
}

static void uring(void)
{
	struct ring ring, *r = &ring;
	fails("a ring of none", syscall(SYS_io_uring_setup, 0, &r->p), EINVAL);
	fails("a ring without parameters", syscall(SYS_io_uring_setup, 8, 0), EFAULT);
	ok("a ring is made and mapped", ring_make(r, 0));
	if (r->fd < 0)
		return;
	entry(r, IORING_OP_NOP, -1);
	same("nothing is done", submit(r), 0);

	int fd = open("ring.txt", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char a[6] = "hello ", b[6] = "world!", buf[32] = "";
	struct iovec iov[2] = {{a, 6}, {b, 6}};
	struct io_uring_sqe *e = entry(r, IORING_OP_WRITEV, fd);
	e->addr = (uintptr_t)iov, e->len = 2;
	same("writev", submit(r), 12);
	e = entry(r, IORING_OP_READ, fd);
	e->addr = (uintptr_t)buf, e->len = sizeof buf, e->off = 6;
	same("read at an offset", submit(r), 6);
	ok("what was written", !memcmp(buf, "world!", 6));
	iov[0].iov_base = buf, iov[0].iov_len = 4, iov[1].iov_base = buf + 10, iov[1].iov_len = 20;
	e = entry(r, IORING_OP_READV, fd);
	e->addr = (uintptr_t)iov, e->len = 2;
	same("readv", submit(r), 12);
	ok("in two parts", !memcmp(buf, "hell", 4) && !memcmp(buf + 10, "o world!", 8));
	e = entry(r, IORING_OP_FSYNC, fd);
	same("fsync", submit(r), 0);
	e = entry(r, IORING_OP_READ, 999);
	e->addr = (uintptr_t)buf, e->len = 1;
	same("a bad descriptor", submit(r), -EBADF);
	e = entry(r, IORING_OP_READ, fd);
	e->addr = 16, e->len = 1;
	same("a bad address", submit(r), -EFAULT);

	/* Flags of open differ between processors. */
	mkdir("ring.dir", 0700);
	e = entry(r, IORING_OP_OPENAT, AT_FDCWD);
	e->addr = (uintptr_t)"ring.dir", e->open_flags = O_RDONLY | O_DIRECTORY;
	int dir = submit(r);
	ok("openat of a directory", dir >= 0);
	e = entry(r, IORING_OP_OPENAT, AT_FDCWD);
	e->addr = (uintptr_t)"ring.txt", e->open_flags = O_RDONLY | O_DIRECTORY;
	same("openat of what is none", submit(r), -ENOTDIR);
	symlink("ring.txt", "ring.link");
	e = entry(r, IORING_OP_OPENAT, dir);
	e->addr = (uintptr_t)"../ring.link", e->open_flags = O_RDONLY | O_NOFOLLOW;
	same("openat of a link", submit(r), -ELOOP);
	struct { uint64_t flags, mode, resolve; } how = {O_RDONLY | O_DIRECTORY, 0, 0};
	e = entry(r, IORING_OP_OPENAT2, AT_FDCWD);
	e->addr = (uintptr_t)"ring.txt", e->len = sizeof how, e->off = (uintptr_t)&how;
	same("openat2 of what is no directory", submit(r), -ENOTDIR);
	same("the caller's flags stay", how.flags, O_RDONLY | O_DIRECTORY);
	e = entry(r, IORING_OP_CLOSE, dir);
	same("close", submit(r), 0);

	struct statx x;
	e = entry(r, IORING_OP_STATX, AT_FDCWD);
	e->addr = (uintptr_t)"ring.txt", e->len = STATX_SIZE, e->off = (uintptr_t)&x;
	same("statx", submit(r), 0);
	same("the size", x.stx_size, 12);

	int pair[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	struct iovec text = {"message", 7};
	struct msghdr m = {.msg_iov = &text, .msg_iovlen = 1};
	e = entry(r, IORING_OP_SENDMSG, pair[0]);
	e->addr = (uintptr_t)&m, e->len = 1;
	same("sendmsg", submit(r), 7);
	struct iovec in = {buf, sizeof buf};
	m = (struct msghdr){.msg_iov = &in, .msg_iovlen = 1};
	e = entry(r, IORING_OP_RECVMSG, pair[1]);
	e->addr = (uintptr_t)&m, e->len = 1;
	same("recvmsg", submit(r), 7);

	struct __kernel_timespec soon = {0, 1000000};
	e = entry(r, IORING_OP_TIMEOUT, -1);
	e->addr = (uintptr_t)&soon, e->len = 1;
	same("a timeout", submit(r), -ETIME);

	int ep = epoll_create1(0), event = eventfd(1, 0);
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = 0x1122334455667788ull}, out = {0};
	e = entry(r, IORING_OP_EPOLL_CTL, ep);
	e->addr = (uintptr_t)&ev, e->len = EPOLL_CTL_ADD, e->off = event;
	same("epoll_ctl", submit(r), 0);
	same("the event", epoll_wait(ep, &out, 1, 0), 1);
	ok("with its number", out.data.u64 == ev.data.u64);

	struct iovec fixed = {buf, sizeof buf};
	same("a buffer is registered", syscall(SYS_io_uring_register, r->fd, IORING_REGISTER_BUFFERS, &fixed, 1), 0);
	e = entry(r, IORING_OP_READ_FIXED, fd);
	e->addr = (uintptr_t)buf, e->len = 5;
	same("read into it", submit(r), 5);
	same("and taken back", syscall(SYS_io_uring_register, r->fd, IORING_UNREGISTER_BUFFERS, 0, 0), 0);
	int files[1] = {fd};
	same("a file is registered", syscall(SYS_io_uring_register, r->fd, IORING_REGISTER_FILES, files, 1), 0);
	e = entry(r, IORING_OP_READ, 0);
	e->flags = IOSQE_FIXED_FILE, e->addr = (uintptr_t)buf, e->len = 5;
	same("read from it", submit(r), 5);

	/* Waiting with a time. */
	struct io_uring_getevents_arg arg = {.ts = (uintptr_t)&soon};
	fails("nothing comes in time", syscall(SYS_io_uring_enter, r->fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, sizeof arg), ETIME);
	fails("enter on no ring", syscall(SYS_io_uring_enter, fd, 0, 0, 0, 0, 0), EOPNOTSUPP);
	close(r->fd);

	ok("one mapping for both rings", ring_make(r, IORING_SETUP_CLAMP) && r->p.features & IORING_FEAT_SINGLE_MMAP);
	close(r->fd);
}

/* A ring from which a thread of the kernel's takes entries, woken where it sleeps. */
static void polled(void)
{
	struct ring made, *r = &made;
	same("polled: what goes with no thread", ring_make(r, IORING_SETUP_SQPOLL | IORING_SETUP_COOP_TASKRUN) ? 0 : errno, EINVAL);
	ok("polled", ring_make(r, IORING_SETUP_SQPOLL) && r->p.flags & IORING_SETUP_SQPOLL);
	unsigned *flags = (unsigned *)((char *)r->sq_tail - r->p.sq_off.tail + r->p.sq_off.flags);
	struct io_uring_sqe *e = entry(r, IORING_OP_OPENAT, AT_FDCWD);
	e->addr = (uintptr_t)"ring.dir", e->open_flags = O_RDONLY | O_DIRECTORY;
	__atomic_store_n(r->sq_tail, *r->sq_tail + 1, __ATOMIC_RELEASE);
	e = entry(r, IORING_OP_OPENAT, AT_FDCWD);
	e->addr = (uintptr_t)"ring.txt", e->open_flags = O_RDONLY | O_DIRECTORY;
	__atomic_store_n(r->sq_tail, *r->sq_tail + 1, __ATOMIC_SEQ_CST);
	int wake = __atomic_load_n(flags, __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP ? IORING_ENTER_SQ_WAKEUP : 0;
	same("woken", syscall(SYS_io_uring_enter, r->fd, 2, 2, wake | IORING_ENTER_GETEVENTS, 0, 0), 2);
	int results[2] = {0, 0};
	for (unsigned head = 0; head < 2; head++)
		results[r->cqes[head & *r->cq_mask].res < 0] = r->cqes[head & *r->cq_mask].res;
	ok("takes both", results[0] > 0 && results[1] == -ENOTDIR && *r->cq_tail == 2);
	close(results[0]);
	close(r->fd);
}

static void aio(void)
{
	aio_context_t context = 0;
	fails("no requests", syscall(SYS_io_setup, 0, &context), EINVAL);
	fails("no place", syscall(SYS_io_setup, 1, 0), EFAULT);
	same("a context", syscall(SYS_io_setup, 16, &context), 0);
	int fd = open("aio.txt", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char text[] = "asynchronous", buf[32] = "";
	struct iocb w = {.aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = fd, .aio_buf = (uintptr_t)text, .aio_nbytes = 12, .aio_data = 0x1111222233334444ull};
	struct iocb *list[2] = {&w};
	same("a write is submitted", syscall(SYS_io_submit, context, 1, list), 1);
	struct io_event events[2];
	struct timespec second = {5, 0};
	same("it is done", syscall(SYS_io_getevents, context, 1, 2, events, &second), 1);
	ok("with its data", events[0].data == 0x1111222233334444ull && events[0].obj == (uintptr_t)&w && events[0].res == 12);
	struct iovec iov[2] = {{buf, 5}, {buf + 10, 20}};
	struct iocb r = {.aio_lio_opcode = IOCB_CMD_PREADV, .aio_fildes = fd, .aio_buf = (uintptr_t)iov, .aio_nbytes = 2};
	list[0] = &r;
	same("readv is submitted", syscall(SYS_io_submit, context, 1, list), 1);
	struct timespec none = {0, 1000};
	same("and done", syscall(SYS_io_getevents, context, 1, 2, events, &second), 1);
	ok("in two parts", events[0].res == 12 && !memcmp(buf, "async", 5) && !memcmp(buf + 10, "hronous", 7));
	same("nothing more", syscall(SYS_io_getevents, context, 0, 2, events, &none), 0);
	struct { const void *set; size_t size; } mask = {0, 8};
	same("with a mask", syscall(SYS_io_pgetevents, context, 0, 2, events, &none, &mask), 0);
	list[0] = (void *)16;
	fails("a bad request", syscall(SYS_io_submit, context, 1, list), EFAULT);
	r.aio_fildes = 999, list[0] = &r;
	fails("a bad descriptor", syscall(SYS_io_submit, context, 1, list), EBADF);
	fails("to be cancelled", syscall(SYS_io_cancel, context, &r, events), EINVAL);
	/* Memory that is mapped now does not come where the ring is. */
	for (int n = 0; n < 64; n++)
		mmap(0, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	list[0] = &w;
	same("the ring is still there", syscall(SYS_io_submit, context, 1, list), 1);
	same("and works", syscall(SYS_io_getevents, context, 1, 1, events, &second), 1);
	same("its end", syscall(SYS_io_destroy, context), 0);
	fails("it is gone", syscall(SYS_io_destroy, context), EINVAL);
}

int main(void)
{
	uring();
	polled();
	aio();
	return done();
}
