/* A terminal: a pair of pseudo-terminals, its size, its modes, its signals, its session. */
#include "ok.h"
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

static int text_is(int fd, const char *expected)
{
	char text[200] = "";
	size_t length = 0;
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	while (length < strlen(expected) && poll(&wait, 1, 20000) == 1) {
		ssize_t n = read(fd, text + length, sizeof text - 1 - length);
		if (n <= 0)
			break;
		length += (size_t)n;
	}
	if (strcmp(text, expected) != 0)
		fprintf(stderr, "got %s\n", text);
	return strcmp(text, expected) == 0;
}

static void modes(int terminal)
{
	struct termios t, back;
	ok("tcgetattr", tcgetattr(terminal, &t) == 0);
	ok("defaults", t.c_lflag & ICANON && t.c_lflag & ECHO && t.c_oflag & OPOST && t.c_cc[VINTR] == 3 && t.c_cc[VEOF] == 4 && t.c_cc[VERASE] == 127);
	cfsetispeed(&t, B9600), cfsetospeed(&t, B115200);
	t.c_cc[VMIN] = 3, t.c_cc[VTIME] = 7;
	same("tcsetattr", tcsetattr(terminal, TCSANOW, &t), 0);
	ok("is kept", tcgetattr(terminal, &back) == 0 && back.c_cc[VMIN] == 3 && back.c_cc[VTIME] == 7 && cfgetospeed(&back) == B115200 && back.c_lflag == t.c_lflag);
	struct winsize size = {25, 81, 1, 2}, seen = {0};
	same("TIOCSWINSZ", ioctl(terminal, TIOCSWINSZ, &size), 0);
	ok("TIOCGWINSZ", ioctl(terminal, TIOCGWINSZ, &seen) == 0 && seen.ws_row == 25 && seen.ws_col == 81 && seen.ws_xpixel == 1 && seen.ws_ypixel == 2);
	ok("isatty", isatty(terminal) && !isatty(open("/dev/null", O_RDONLY)));
	fails("no terminal", ioctl(open("/dev/null", O_RDONLY), TIOCGWINSZ, &seen), ENOTTY);
	fails("an unknown request", ioctl(terminal, 0x5499, &seen), ENOTTY);
}

static void discipline(int master, int terminal)
{
	struct termios t;
	char text[50] = "";
	write(master, "abc\177d\n", 6);
	ok("a line, edited", read(terminal, text, 50) == 4 && memcmp(text, "abd\n", 4) == 0);
	ok("its echo", text_is(master, "abc\b \bd\r\n"));
	write(terminal, "x\n", 2);
	ok("output", text_is(master, "x\r\n"));
	write(master, "\4", 1);
	same("end of file", read(terminal, text, 50), 0);
	tcgetattr(terminal, &t);
	cfmakeraw(&t);
	tcsetattr(terminal, TCSAFLUSH, &t);
	write(master, "\3r", 2);
	ok("raw", read(terminal, text, 50) == 2 && text[0] == 3 && text[1] == 'r');
	int waiting = 0;
	write(master, "12345", 5);
	ok("FIONREAD", poll(&(struct pollfd){.fd = terminal, .events = POLLIN}, 1, 20000) == 1 && ioctl(terminal, FIONREAD, &waiting) == 0 && waiting == 5);
	same("tcflush", tcflush(terminal, TCIFLUSH), 0);
	ioctl(terminal, FIONREAD, &waiting);
	same("flushed", waiting, 0);
	int nonblocking = 1;
	ioctl(terminal, FIONBIO, &nonblocking);
	fails("FIONBIO", read(terminal, text, 1), EAGAIN);
}

static volatile int resized, interrupted;
static void note(int number) { number == SIGWINCH ? (resized = 1) : (interrupted = 1); }

static void session(void)
{
	int master;
	struct winsize size = {10, 20, 0, 0};
	struct termios plain;
	pid_t child = forkpty(&master, NULL, NULL, &size);
	if (child == 0) {
		signal(SIGWINCH, note), signal(SIGINT, note);
		tcgetattr(0, &plain);
		plain.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(0, TCSANOW, &plain);
		ioctl(0, TIOCGWINSZ, &size);
		printf("%d %d %d %d", size.ws_row, size.ws_col, tcgetpgrp(0) == getpid(), tcgetsid(0) == getpid());
		fflush(stdout);
		while (!resized || !interrupted)
			usleep(1000);
		ioctl(0, TIOCGWINSZ, &size);
		printf(" %d", size.ws_row);
		fflush(stdout);
		int fd = open("/dev/tty", O_RDWR);
		write(fd, " tty", 4);
		_exit(fd >= 0 ? 9 : 8);
	}
	ok("the controlling terminal", text_is(master, "10 20 1 1"));
	size.ws_row = 33;
	ioctl(master, TIOCSWINSZ, &size);
	write(master, "\3", 1);
	ok("its signals", text_is(master, " 33 tty"));
	same("its end", ended(child), 9);
	char c;
	fails("a closed terminal", read(master, &c, 1), EIO);
	child = forkpty(&master, NULL, NULL, NULL);
	if (child == 0)
		for (write(1, "up", 2);;)
			pause();
	ok("another session", text_is(master, "up"));
	close(master);
	same("SIGHUP when the master closes", ended(child), -SIGHUP);
}

int main(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), number = -1;
	char name[100];
	ok("posix_openpt", master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	ok("TIOCGPTN", ioctl(master, TIOCGPTN, &number) == 0 && ptsname_r(master, name, sizeof name) == 0 && atoi(strrchr(name, '/') + 1) == number);
	int terminal = open(name, O_RDWR | O_NOCTTY);
	ok("the other side", terminal >= 0 && strcmp(ttyname(terminal), name) == 0);
	modes(terminal);
	struct termios t;
	tcgetattr(terminal, &t);
	discipline(master, terminal);
	session();
	return done();
}
