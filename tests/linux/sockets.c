/* Sockets: Unix, TCP, UDP; options, names, messages with descriptors and credentials, many messages at once, shutdown. */
#include "ok.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>

static void pairs(void)
{
	int s[2];
	char text[200];
	same("socketpair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	send(s[0], "hello", 5, 0), send(s[0], "world", 5, 0);
	ok("a stream joins", recv(s[1], text, 4, MSG_PEEK) == 4 && recv(s[1], text, 200, 0) == 10 && memcmp(text, "helloworld", 10) == 0);
	fails("MSG_DONTWAIT", recv(s[1], text, 1, MSG_DONTWAIT), EAGAIN);
	shutdown(s[0], SHUT_WR);
	ok("shutdown", recv(s[1], text, 1, 0) == 0 && send(s[1], "back", 4, 0) == 4 && recv(s[0], text, 9, 0) == 4);
	close(s[0]);
	fails("MSG_NOSIGNAL", send(s[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s);
	send(s[0], "abc", 3, 0), send(s[0], "defgh", 5, 0);
	struct iovec part = {text, 2};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	ok("packets are cut", recvmsg(s[1], &message, 0) == 2 && message.msg_flags & MSG_TRUNC && recv(s[1], text, 100, 0) == 5);
	socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
	same("an empty datagram", send(s[0], NULL, 0, 0), 0);
	same("is received", recv(s[1], text, 10, MSG_DONTWAIT), 0);
	struct timeval limit = {0, 20000};
	same("SO_RCVTIMEO", setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
	fails("a receive's time limit", recv(s[1], text, 1, 0), EAGAIN);
}

static void control_messages(void)
{
	int s[2], p[2], got[2], yes = 1;
	char byte = 'b';
	union { char room[200]; struct cmsghdr align; } control;
	memset(&control, 0, sizeof control);
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	pipe(p);
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(2 * sizeof(int))};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	*header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(2 * sizeof(int))};
	memcpy(CMSG_DATA(header), p, sizeof p);
	same("SCM_RIGHTS", sendmsg(s[0], &message, 0), 1);
	memset(&control, 0, sizeof control);
	message.msg_controllen = sizeof control;
	same("received", recvmsg(s[1], &message, MSG_CMSG_CLOEXEC), 1);
	header = CMSG_FIRSTHDR(&message);
	ok("its header", header && header->cmsg_len == CMSG_LEN(2 * sizeof(int)) && header->cmsg_type == SCM_RIGHTS && message.msg_controllen == CMSG_SPACE(2 * sizeof(int)) && message.msg_flags == MSG_CMSG_CLOEXEC);
	memcpy(got, CMSG_DATA(header), sizeof got);
	ok("the descriptors work", got[0] != p[0] && write(got[1], "q", 1) == 1 && read(p[0], &byte, 1) == 1 && byte == 'q' && fcntl(got[0], F_GETFD) == FD_CLOEXEC);
	setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes);
	send(s[0], "c", 1, 0);
	message.msg_controllen = sizeof control;
	recvmsg(s[1], &message, 0);
	header = CMSG_FIRSTHDR(&message);
	struct ucred who = {0};
	if (header)
		memcpy(&who, CMSG_DATA(header), sizeof who);
	ok("SCM_CREDENTIALS", header && header->cmsg_type == SCM_CREDENTIALS && who.pid == getpid() && who.uid == getuid() && who.gid == getgid());
	socklen_t length = sizeof who;
	ok("SO_PEERCRED", getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &who, &length) == 0 && length == sizeof who && who.pid == getpid());
	/* two kinds in one message, a room too small for the second */
	message.msg_controllen = CMSG_SPACE(2 * sizeof(int));
	memset(&control, 0, sizeof control);
	header = CMSG_FIRSTHDR(&message);
	*header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(2 * sizeof(int))};
	memcpy(CMSG_DATA(header), p, sizeof p);
	sendmsg(s[0], &message, 0);
	message.msg_controllen = CMSG_SPACE(sizeof who);
	recvmsg(s[1], &message, 0);
	ok("MSG_CTRUNC", message.msg_flags & MSG_CTRUNC);
	int udp = socket(AF_INET, SOCK_DGRAM, 0), sender = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	length = sizeof address;
	bind(udp, (void *)&address, sizeof address), getsockname(udp, (void *)&address, &length);
	setsockopt(udp, SOL_SOCKET, SO_TIMESTAMP, &yes, sizeof yes), setsockopt(udp, IPPROTO_IP, IP_PKTINFO, &yes, sizeof yes);
	sendto(sender, "t", 1, 0, (void *)&address, sizeof address);
	message.msg_controllen = sizeof control;
	recvmsg(udp, &message, 0);
	int kinds = 0;
	for (header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
		if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SO_TIMESTAMP) {
			struct timeval when, current;
			memcpy(&when, CMSG_DATA(header), sizeof when), gettimeofday(&current, NULL);
			kinds += header->cmsg_len == CMSG_LEN(sizeof when) && current.tv_sec - when.tv_sec <= 1 && when.tv_usec < 1000000;
		} else if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;
			memcpy(&info, CMSG_DATA(header), sizeof info);
			kinds += 10 * (info.ipi_addr.s_addr == htonl(INADDR_LOOPBACK));
		}
	}
	same("a time and an address with a datagram", kinds, 11);
}

static void names(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "a-socket"}, seen;
	socklen_t length = sizeof seen;
	int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
	same("bind", bind(server, (void *)&address, sizeof address), 0);
	fails("bind again", bind(client, (void *)&address, sizeof address), EADDRINUSE);
	fails("connect before listen", connect(client, (void *)&address, sizeof address), ECONNREFUSED);
	listen(server, 5);
	same("connect", connect(client, (void *)&address, sizeof address), 0);
	int accepted = accept4(server, (void *)&seen, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
	ok("accept4", accepted >= 0 && length == 2 && fcntl(accepted, F_GETFL) & O_NONBLOCK);
	length = sizeof seen;
	ok("getpeername", getpeername(client, (void *)&seen, &length) == 0 && strcmp(seen.sun_path, "a-socket") == 0 && length == offsetof(struct sockaddr_un, sun_path) + 9);
	int hidden = socket(AF_UNIX, SOCK_DGRAM, 0);
	memset(&address, 0, sizeof address);
	address.sun_family = AF_UNIX;
	int named = snprintf(address.sun_path + 1, 100, "hidden-%d", getpid());
	same("an abstract name", bind(hidden, (void *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + named)), 0);
	length = sizeof seen;
	getsockname(hidden, (void *)&seen, &length);
	ok("is seen", length == offsetof(struct sockaddr_un, sun_path) + 1 + (unsigned)named && memcmp(seen.sun_path, address.sun_path, 1 + (size_t)named) == 0);
	length = sizeof seen;
	ok("autobind", bind(socket(AF_UNIX, SOCK_DGRAM, 0), (void *)&address, 2) == 0);
}

static void options(int fd)
{
	int value = 0;
	socklen_t length = sizeof value;
	ok("SO_TYPE", getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length) == 0 && value == SOCK_STREAM && length == 4);
	value = 1;
	ok("TCP_NODELAY", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, 4) == 0 && (value = 0, getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &length)) == 0 && value == 1);
	value = 20000;
	ok("SO_SNDBUF doubles", setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, 4) == 0 && getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, &length) == 0 && value == 40000);
	struct linger linger = {1, 7}, back = {0, 0};
	length = sizeof back;
	ok("SO_LINGER", setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0 && getsockopt(fd, SOL_SOCKET, SO_LINGER, &back, &length) == 0 && back.l_onoff && back.l_linger == 7);
	struct timeval time = {3, 500000}, read_back = {0, 0};
	length = sizeof read_back;
	ok("SO_SNDTIMEO", setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) == 0 && getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &read_back, &length) == 0 && read_back.tv_sec == 3 && read_back.tv_usec == 500000 && length == sizeof time);
	struct tcp_info info;
	length = sizeof info;
	ok("TCP_INFO", getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && info.tcpi_state == TCP_ESTABLISHED);
	fails("an unknown option", setsockopt(fd, SOL_SOCKET, 9999, &value, 4), ENOPROTOOPT);
	fails("no socket", getsockopt(0, SOL_SOCKET, SO_TYPE, &value, &length), ENOTSOCK);
	linger.l_onoff = 0;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static void tcp(int family)
{
	union { struct sockaddr any; struct sockaddr_in four; struct sockaddr_in6 six; } address = {0}, peer;
	socklen_t size = family == AF_INET ? sizeof address.four : sizeof address.six, length = size;
	int server = socket(family, SOCK_STREAM, 0), yes = 1;
	address.any.sa_family = (sa_family_t)family;
	if (family == AF_INET)
		address.four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		address.six.sin6_addr = in6addr_loopback;
	if (server < 0 || bind(server, &address.any, size) != 0) {
		ok("TCP over IPv6", family == AF_INET6);
		return;
	}
	setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	listen(server, 5);
	getsockname(server, &address.any, &length);
	pid_t child = fork();
	if (child == 0) {
		char room[5000];
		int client = socket(family, SOCK_STREAM, 0);
		long sum = 0;
		if (connect(client, &address.any, size) != 0)
			_exit(1);
		for (ssize_t n; (n = read(client, room, sizeof room)) > 0;)
			for (ssize_t i = 0; i < n; i++)
				sum += room[i];
		send(client, &sum, sizeof sum, 0);
		_exit(0);
	}
	length = sizeof peer;
	int fd = accept(server, &peer.any, &length);
	if (family == AF_INET) {
		ok("accept", fd >= 0 && length == size && peer.four.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
		options(fd);
	}
	char data[1000];
	long expected = 0, sum = -1;
	for (int i = 0; i < 1000; i++)
		data[i] = (char)(i % 100);
	for (int i = 0; i < 200; i++)
		expected += 49500, send(fd, data, sizeof data, 0);
	shutdown(fd, SHUT_WR);
	recv(fd, &sum, sizeof sum, MSG_WAITALL);
	ok(family == AF_INET ? "TCP" : "TCP over IPv6", sum == expected && ended(child) == 0);
	close(fd);
	close(server);
	if (family == AF_INET) {
		int client = socket(AF_INET, SOCK_STREAM, 0), late = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), error = 0;
		fails("refused", connect(client, &address.any, size), ECONNREFUSED);
		connect(late, &address.any, size);
		struct pollfd wait = {.fd = late, .events = POLLOUT};
		length = sizeof error;
		poll(&wait, 1, 2000);
		getsockopt(late, SOL_SOCKET, SO_ERROR, &error, &length);
		ok("refused later", error == ECONNREFUSED || error == 0);
	}
}

static void many_messages(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, from;
	socklen_t length = sizeof address;
	int receiver = socket(AF_INET, SOCK_DGRAM, 0), sender = socket(AF_INET, SOCK_DGRAM, 0);
	bind(receiver, (void *)&address, length), getsockname(receiver, (void *)&address, &length);
	char out[3][10] = {"one", "two", "three"}, in[4][10] = {"", "", "", ""};
	struct iovec parts[3], rooms[4];
	struct mmsghdr send_all[3], receive_all[4];
	memset(send_all, 0, sizeof send_all), memset(receive_all, 0, sizeof receive_all);
	for (int i = 0; i < 4; i++) {
		if (i < 3) {
			parts[i] = (struct iovec){out[i], strlen(out[i])};
			send_all[i].msg_hdr = (struct msghdr){.msg_name = &address, .msg_namelen = sizeof address, .msg_iov = &parts[i], .msg_iovlen = 1};
		}
		rooms[i] = (struct iovec){in[i], 9};
		receive_all[i].msg_hdr = (struct msghdr){.msg_iov = &rooms[i], .msg_iovlen = 1};
	}
	same("sendmmsg", sendmmsg(sender, send_all, 3, 0), 3);
	same("recvmmsg", recvmmsg(receiver, receive_all, 4, MSG_WAITFORONE, NULL), 3);
	ok("each message", strcmp(in[0], "one") == 0 && strcmp(in[1], "two") == 0 && strcmp(in[2], "three") == 0 && receive_all[2].msg_len == 5 && send_all[2].msg_len == 5);
	send_all[1].msg_hdr.msg_iov = (void *)16;
	same("sendmmsg up to what is wrong", sendmmsg(sender, send_all, 3, 0), 1);
	send_all[0] = send_all[1];
	fails("sendmmsg of nothing else", sendmmsg(sender, send_all, 3, 0), EFAULT);
	receive_all[1].msg_hdr.msg_iov = (void *)16;
	same("recvmmsg up to what is wrong", recvmmsg(receiver, receive_all, 4, MSG_DONTWAIT, NULL), 1);
	fails("its error comes then", recv(receiver, in[0], 9, MSG_DONTWAIT), EFAULT);
	length = sizeof from;
	sendto(sender, "where", 5, 0, (void *)&address, sizeof address);
	ok("recvfrom", recvfrom(receiver, in[0], 9, 0, (void *)&from, &length) == 5 && length == sizeof from && from.sin_family == AF_INET && from.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	int waiting = -1;
	send(sender, "x", 1, 0);
	sendto(sender, "12345678", 8, 0, (void *)&address, sizeof address);
	ok("FIONREAD", ioctl(receiver, FIONREAD, &waiting) == 0 && waiting == 8);
}

static void interfaces(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	ok("SIOCGIFFLAGS", ioctl(fd, SIOCGIFFLAGS, &request) == 0 && request.ifr_flags & IFF_LOOPBACK);
	ok("SIOCGIFADDR", ioctl(fd, SIOCGIFADDR, &request) == 0 && ((struct sockaddr_in *)&request.ifr_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	ok("SIOCGIFMTU", ioctl(fd, SIOCGIFMTU, &request) == 0 && request.ifr_mtu == 65536);
	char room[4096];
	struct ifconf all = {.ifc_len = sizeof room, .ifc_buf = room};
	ok("SIOCGIFCONF", ioctl(fd, SIOCGIFCONF, &all) == 0 && all.ifc_len >= (int)sizeof(struct ifreq) && all.ifc_len % (int)sizeof(struct ifreq) == 0);
	ok("if_nametoindex", if_nametoindex("lo") == 1);
	struct ifaddrs *list = NULL;
	int found = 0;
	ok("getifaddrs over netlink", getifaddrs(&list) == 0);
	for (struct ifaddrs *one = list; one; one = one->ifa_next)
		found |= one->ifa_addr && strcmp(one->ifa_name, "lo") == 0;
	ok("names lo", found);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	pairs();
	control_messages();
	names();
	tcp(AF_INET);
	tcp(AF_INET6);
	many_messages();
	interfaces();
	return done();
}
