/* Netlink's families, and what travels beside messages. */
#include "ok.h"
#include <linux/connector.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/genetlink.h>
#include <linux/inet_diag.h>
#include <linux/net_tstamp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <linux/xfrm.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>

static char reply[65536] __attribute__((aligned(8)));

/* Sends a request and reads one answer; returns its length or a negative error. */
static int ask(int fd, void *request)
{
	struct nlmsghdr *h = request, *r = (void *)reply;
	if (send(fd, request, h->nlmsg_len, 0) != h->nlmsg_len)
		return -errno;
	int n = recv(fd, reply, sizeof reply, 0);
	if (n < 0)
		return -errno;
	if (r->nlmsg_type == NLMSG_ERROR)
		return ((struct nlmsgerr *)NLMSG_DATA(r))->error;
	return n;
}

static void families(void)
{
	static const struct { int protocol; const char *name; } all[] = {
		{NETLINK_ROUTE, "route"}, {NETLINK_USERSOCK, "usersock"}, {NETLINK_SOCK_DIAG, "sock_diag"}, {NETLINK_NFLOG, "nflog"},
		{NETLINK_XFRM, "xfrm"}, {NETLINK_SELINUX, "selinux"}, {NETLINK_ISCSI, "iscsi"}, {NETLINK_AUDIT, "audit"},
		{NETLINK_FIB_LOOKUP, "fib_lookup"}, {NETLINK_CONNECTOR, "connector"}, {NETLINK_NETFILTER, "netfilter"},
		{NETLINK_IP6_FW, "ip6_fw"}, {NETLINK_KOBJECT_UEVENT, "kobject_uevent"}, {NETLINK_GENERIC, "generic"}, {NETLINK_CRYPTO, "crypto"}, {31, "31"}, {32, "32"},
	};
	for (int n = 0; n < sizeof all / sizeof *all; n++) {
		char what[64];
		int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, all[n].protocol);
		/* What is there depends on the kernel, so that the answer is in the line. */
		snprintf(what, sizeof what, "netlink %s: %d", all[n].name, fd < 0 ? errno : 0);
		ok(what, 1);
		close(fd);
	}
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct sockaddr_nl a = {AF_NETLINK};
	socklen_t len = sizeof a;
	same("bind", bind(fd, (void *)&a, sizeof a), 0);
	getsockname(fd, (void *)&a, &len);
	ok("its name", len == sizeof a && a.nl_pid != 0);
	struct { struct nlmsghdr h; struct ifinfomsg i; } link = {{sizeof link, RTM_GETLINK, NLM_F_REQUEST, 1}, {AF_UNSPEC, 0, 0, if_nametoindex("lo")}};
	ok("a link", ask(fd, &link) > 0 && ((struct nlmsghdr *)reply)->nlmsg_type == RTM_NEWLINK);
	link.i.ifi_index = 99999;
	same("no link", ask(fd, &link), -ENODEV);
	struct { struct nlmsghdr h; struct rtgenmsg g; } dump = {{NLMSG_LENGTH(sizeof dump.g), RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 2}, {AF_INET}};
	ok("a list of addresses", ask(fd, &dump) >= (int)sizeof(struct nlmsghdr));
	close(fd);

	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
	if (fd >= 0) {
		int tcp = socket(AF_INET, SOCK_STREAM, 0);
		listen(tcp, 1);
		struct { struct nlmsghdr h; struct inet_diag_req_v2 r; } diag = {{sizeof diag, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 3}, {AF_INET, IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1), 0, 1 << 10}};
		int n = ask(fd, &diag);
		struct nlmsghdr *h = (void *)reply;
		struct inet_diag_msg *m = NLMSG_DATA(h);
		ok("a socket that listens", n == -ENOENT || n > 0 && h->nlmsg_type == SOCK_DIAG_BY_FAMILY && m->idiag_state == 10);
		close(tcp);
	} else
		ok("a socket that listens", errno == EPROTONOSUPPORT);
	close(fd);
	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
	struct { struct nlmsghdr h; struct genlmsghdr g; struct nlattr a; char name[12]; } ctrl = {{sizeof ctrl, GENL_ID_CTRL, NLM_F_REQUEST, 4}, {CTRL_CMD_GETFAMILY, 1}, {4 + 7, CTRL_ATTR_FAMILY_NAME}, "nlctrl"};
	ok("a generic family", ask(fd, &ctrl) > 0 && ((struct nlmsghdr *)reply)->nlmsg_type == GENL_ID_CTRL);
	int one = 1, size = 0;
	same("extended answers", setsockopt(fd, SOL_NETLINK, 11 /* NETLINK_EXT_ACK */, &one, sizeof one), 0);
	len = 4;
	same("its option", getsockopt(fd, SOL_NETLINK, 11, &size, &len), 0);
	same("is told", size, 1);
	uint32_t groups[4];
	len = sizeof groups;
	same("its groups", getsockopt(fd, SOL_NETLINK, 9 /* NETLINK_LIST_MEMBERSHIPS */, groups, &len), 0);
	close(fd);
	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
	if (fd >= 0) {
		/* NFT_MSG_GETGEN */
		struct { struct nlmsghdr h; struct nfgenmsg g; } gen = {{sizeof gen, NFNL_SUBSYS_NFTABLES << 8 | 16, NLM_F_REQUEST, 5}, {AF_UNSPEC, NFNETLINK_V0, 0}};
		int n = ask(fd, &gen);
		ok("nf_tables answers", n > 0 || n == -EINVAL || n == -EPERM);
	} else
		ok("nf_tables answers", errno == EPROTONOSUPPORT);
	close(fd);
	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_XFRM);
	if (fd >= 0) {
		struct { struct nlmsghdr h; uint32_t flags; } info = {{sizeof info, XFRM_MSG_GETSADINFO, NLM_F_REQUEST, 6}, ~0u};
		int n = ask(fd, &info);
		ok("xfrm answers", n > 0 || n == -EPERM);
	} else
		ok("xfrm answers", errno == EPROTONOSUPPORT);
	close(fd);
}

static struct cmsghdr *find(struct msghdr *m, int level, int type)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == level && c->cmsg_type == type)
			return c;
	return 0;
}

static char room[512] __attribute__((aligned(8)));
static char data[64];
static struct iovec part = {data, sizeof data};

static struct msghdr *receive(int fd, int flags, size_t control)
{
	static struct msghdr m;
	memset(room, 0xee, sizeof room);
	m = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = control};
	if (recvmsg(fd, &m, flags) < 0)
		m.msg_controllen = 0;
	return &m;
}

static void beside(void)
{
	int pair[2], one = 1;
	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	/* Descriptors and credentials in one message. */
	union { struct cmsghdr h; char room[CMSG_SPACE(2 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))]; } out;
	memset(&out, 0, sizeof out);
	struct msghdr m = {.msg_iov = &(struct iovec){"x", 1}, .msg_iovlen = 1, .msg_control = &out, .msg_controllen = sizeof out};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	*c = (struct cmsghdr){.cmsg_len = CMSG_LEN(2 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(c), (int[]){0, pair[0]}, 2 * sizeof(int));
	c = CMSG_NXTHDR(&m, c);
	*c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(struct ucred)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS};
	memcpy(CMSG_DATA(c), &(struct ucred){getpid(), getuid(), getgid()}, sizeof(struct ucred));
	same("SO_PASSCRED", setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one), 0);
	setsockopt(pair[1], SOL_SOCKET, SO_TIMESTAMP, &one, sizeof one);
	same("sendmsg with rights and credentials", sendmsg(pair[0], &m, 0), 1);
	struct msghdr *r = receive(pair[1], MSG_CMSG_CLOEXEC, sizeof room);
	c = find(r, SOL_SOCKET, SCM_RIGHTS);
	ok("two descriptors", c && c->cmsg_len == CMSG_LEN(2 * sizeof(int)));
	int fds[2] = {-1, -1};
	if (c)
		memcpy(fds, CMSG_DATA(c), sizeof fds);
	same("closed on exec", fcntl(fds[1], F_GETFD), FD_CLOEXEC);
	c = find(r, SOL_SOCKET, SCM_CREDENTIALS);
	struct ucred who = {0};
	if (c)
		memcpy(&who, CMSG_DATA(c), sizeof who);
	ok("credentials", c && c->cmsg_len == CMSG_LEN(sizeof who) && who.pid == getpid() && who.uid == getuid());
	c = find(r, SOL_SOCKET, SCM_TIMESTAMP);
	struct timeval tv = {0};
	if (c)
		memcpy(&tv, CMSG_DATA(c), sizeof tv);
	ok("a time", c && c->cmsg_len == CMSG_LEN(sizeof tv) && labs(tv.tv_sec - time(0)) < 10 && tv.tv_usec < 1000000);
	same("all of it", r->msg_flags & MSG_CTRUNC, 0);
	close(fds[0]), close(fds[1]);
	/* Credentials that are not ours. */
	c = CMSG_FIRSTHDR(&m);
	m.msg_controllen = CMSG_SPACE(sizeof(struct ucred));
	*c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(struct ucred)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS};
	memcpy(CMSG_DATA(c), &(struct ucred){0x7fffff, getuid(), getgid()}, sizeof(struct ucred));
	ok("credentials of another", sendmsg(pair[0], &m, 0) == -1 && (errno == EPERM || errno == ESRCH));
	c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(4);
	memcpy(CMSG_DATA(c), &(int){999}, 4);
	m.msg_controllen = CMSG_SPACE(4);
	fails("a bad descriptor", sendmsg(pair[0], &m, 0), EBADF);
	c->cmsg_len = 3;
	fails("a bad length", sendmsg(pair[0], &m, 0), EINVAL);
	c->cmsg_type = 99, c->cmsg_len = CMSG_LEN(4);
	fails("a kind that is none", sendmsg(pair[0], &m, 0), EINVAL);
	/* Too little room. */
	setsockopt(pair[1], SOL_SOCKET, SO_TIMESTAMP, &(int){0}, sizeof one);
	setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &(int){0}, sizeof one);
	c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(3 * sizeof(int));
	memcpy(CMSG_DATA(c), (int[]){0, 1, 2}, 3 * sizeof(int));
	m.msg_controllen = CMSG_SPACE(3 * sizeof(int));
	same("three descriptors", sendmsg(pair[0], &m, 0), 1);
	r = receive(pair[1], 0, CMSG_LEN(sizeof(int)));
	c = CMSG_FIRSTHDR(r);
	ok("room for one", r->msg_flags & MSG_CTRUNC && c && c->cmsg_len == CMSG_LEN(sizeof(int)));
	same("three again", sendmsg(pair[0], &m, 0), 1);
	r = receive(pair[1], 0, 0);
	ok("room for none", r->msg_flags & MSG_CTRUNC && r->msg_controllen == 0);

	/* Nanoseconds, and the general form of times. */
	int udp = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in a = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof a;
	bind(udp, (void *)&a, sizeof a);
	getsockname(udp, (void *)&a, &len);
	same("SO_TIMESTAMPNS", setsockopt(udp, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one), 0);
	setsockopt(udp, IPPROTO_IP, IP_PKTINFO, &one, sizeof one);
	setsockopt(udp, IPPROTO_IP, IP_RECVTTL, &one, sizeof one);
	setsockopt(udp, IPPROTO_IP, IP_RECVTOS, &one, sizeof one);
	sendto(udp, "y", 1, 0, (void *)&a, len);
	r = receive(udp, 0, sizeof room);
	c = find(r, SOL_SOCKET, SCM_TIMESTAMPNS);
	struct timespec ts = {0};
	if (c)
		memcpy(&ts, CMSG_DATA(c), sizeof ts);
	ok("nanoseconds", c && c->cmsg_len == CMSG_LEN(sizeof ts) && labs(ts.tv_sec - time(0)) < 10 && ts.tv_nsec < 1000000000);
	c = find(r, IPPROTO_IP, IP_PKTINFO);
	ok("where it came in", c && ((struct in_pktinfo *)CMSG_DATA(c))->ipi_addr.s_addr == htonl(INADDR_LOOPBACK));
	c = find(r, IPPROTO_IP, IP_TTL);
	ok("its lifetime", c && *(int *)CMSG_DATA(c) == 64);
	c = find(r, IPPROTO_IP, IP_TOS);
	ok("its service", c && c->cmsg_len == CMSG_LEN(1));
	setsockopt(udp, SOL_SOCKET, SO_TIMESTAMPNS, &(int){0}, sizeof one);
	int how = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
	same("SO_TIMESTAMPING", setsockopt(udp, SOL_SOCKET, SO_TIMESTAMPING, &how, sizeof how), 0);
	/* The kernel begins to take times a little later. */
	for (int n = 0; n < 200 && (n == 0 || !c); n++) {
		usleep(n ? 10000 : 0);
		sendto(udp, "z", 1, 0, (void *)&a, len);
		r = receive(udp, 0, sizeof room);
		c = find(r, SOL_SOCKET, SCM_TIMESTAMPING);
	}
	struct timespec three[3] = {{0}};
	if (c)
		memcpy(three, CMSG_DATA(c), sizeof three);
	ok("three times", c && c->cmsg_len == CMSG_LEN(sizeof three) && labs(three[0].tv_sec - time(0)) < 10 && !three[2].tv_sec);
	setsockopt(udp, SOL_SOCKET, SO_TIMESTAMPING, &(int){0}, sizeof one);
	same("the newer SO_TIMESTAMP", setsockopt(udp, SOL_SOCKET, 63 /* SO_TIMESTAMP_NEW */, &one, sizeof one), 0);
	sendto(udp, "w", 1, 0, (void *)&a, len);
	r = receive(udp, 0, sizeof room);
	c = find(r, SOL_SOCKET, 63);
	int64_t wide[2] = {0};
	if (c)
		memcpy(wide, CMSG_DATA(c), sizeof wide);
	ok("two wide numbers", c && c->cmsg_len == CMSG_LEN(16) && llabs(wide[0] - time(0)) < 10 && wide[1] < 1000000);
	/* Errors of the network. */
	setsockopt(udp, IPPROTO_IP, IP_RECVERR, &one, sizeof one);
	struct sockaddr_in closed = a;
	int other = socket(AF_INET, SOCK_DGRAM, 0);
	closed.sin_port = 0;
	len = sizeof closed;
	bind(other, (void *)&closed, sizeof closed);
	getsockname(other, (void *)&closed, &len);
	close(other);
	sendto(udp, "e", 1, 0, (void *)&closed, len);
	usleep(20000);
	r = receive(udp, MSG_ERRQUEUE | MSG_DONTWAIT, sizeof room);
	c = find(r, IPPROTO_IP, IP_RECVERR);
	struct sock_extended_err *e = c ? (void *)CMSG_DATA(c) : 0;
	ok("a port that nobody has", e && e->ee_errno == ECONNREFUSED && e->ee_origin == SO_EE_ORIGIN_ICMP);

	/* Options with structs. */
	struct ucred peer;
	len = sizeof peer;
	int stream[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, stream);
	ok("SO_PEERCRED", getsockopt(stream[0], SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.pid == getpid() && len == sizeof peer);
	len = sizeof(int);
	int pidfd = -1;
	ok("SO_PEERPIDFD", getsockopt(stream[0], SOL_SOCKET, 77, &pidfd, &len) == 0 && pidfd >= 0);
	struct tcp_info info;
	int tcp = socket(AF_INET, SOCK_STREAM, 0);
	len = sizeof info;
	ok("TCP_INFO", getsockopt(tcp, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_state == TCP_CLOSE);
	char name[16] = "";
	len = sizeof name;
	ok("TCP_CONGESTION", getsockopt(tcp, IPPROTO_TCP, TCP_CONGESTION, name, &len) == 0 && name[0]);
	struct linger linger = {1, 5};
	setsockopt(tcp, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	linger.l_linger = 0, len = sizeof linger;
	ok("SO_LINGER", getsockopt(tcp, SOL_SOCKET, SO_LINGER, &linger, &len) == 0 && linger.l_linger == 5);
	struct timeval tmo = {3, 250000}, back = {0};
	setsockopt(tcp, SOL_SOCKET, SO_RCVTIMEO, &tmo, sizeof tmo);
	len = sizeof back;
	ok("SO_RCVTIMEO", getsockopt(tcp, SOL_SOCKET, SO_RCVTIMEO, &back, &len) == 0 && back.tv_sec == 3 && len == sizeof back);
	struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, 2)};
	struct sock_fprog filter = {1, code};
	same("SO_ATTACH_FILTER", setsockopt(udp, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter), 0);
	struct group_req group = {if_nametoindex("lo")};
	struct sockaddr_in g4 = {AF_INET, 0, {htonl(0xe0000123)}};
	memcpy(&group.gr_group, &g4, sizeof g4);
	same("MCAST_JOIN_GROUP", setsockopt(udp, IPPROTO_IP, MCAST_JOIN_GROUP, &group, sizeof group), 0);
	struct { struct group_filter f; struct sockaddr_storage more; } gf = {0};
	gf.f.gf_interface = group.gr_interface, gf.f.gf_group = group.gr_group, gf.f.gf_fmode = MCAST_EXCLUDE;
	g4.sin_addr.s_addr = htonl(0x7f000009);
	memcpy(&gf.f.gf_slist[0], &g4, sizeof g4);
	gf.f.gf_numsrc = 1;
	same("MCAST_MSFILTER", setsockopt(udp, IPPROTO_IP, MCAST_MSFILTER, &gf, GROUP_FILTER_SIZE(1)), 0);
	gf.f.gf_numsrc = 1, gf.f.gf_fmode = 9;
	len = GROUP_FILTER_SIZE(1);
	ok("is told", getsockopt(udp, IPPROTO_IP, MCAST_MSFILTER, &gf, &len) == 0 && gf.f.gf_numsrc == 1 && gf.f.gf_fmode == MCAST_EXCLUDE);
}

int main(void)
{
	families();
	beside();
	return done();
}
