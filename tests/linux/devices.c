/* ioctls of devices and file systems that a machine is likely to have: loop and block devices, tunnels, consoles, files, descriptors of all kinds. */
#include "ok.h"
#include <linux/blkpg.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/if_tun.h>
#include <linux/kd.h>
#include <linux/loop.h>
#include <linux/random.h>
#include <linux/rtc.h>
#include <linux/sockios.h>
#include <linux/ethtool.h>
#include <linux/vt.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

static void loops(void)
{
	int file = open("disk", O_RDWR | O_CREAT | O_TRUNC, 0600);
	ftruncate(file, 1 << 20);
	int control = open("/dev/loop-control", O_RDWR);
	int number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
	char path[32];
	snprintf(path, sizeof path, "/dev/loop%d", number);
	int dev = number < 0 ? -1 : open(path, O_RDWR);
	struct loop_config config = {.fd = file, .block_size = 512, .info = {.lo_offset = 4096, .lo_flags = LO_FLAGS_AUTOCLEAR}};
	strcpy((char *)config.info.lo_file_name, "the file");
	int r = dev < 0 ? -1 : ioctl(dev, LOOP_CONFIGURE, &config);
	/* Without rights, or where all are taken, there is nothing to be seen. */
	int able = r == 0;
	ok("LOOP_CONFIGURE", able || errno == EACCES || errno == EPERM || errno == ENOENT || errno == EBUSY || errno == EBADF);
	struct loop_info64 info64 = {0};
	ok("LOOP_GET_STATUS64", !able || ioctl(dev, LOOP_GET_STATUS64, &info64) == 0 && info64.lo_offset == 4096 && !strcmp((char *)info64.lo_file_name, "the file"));
	struct loop_info info = {0};
	ok("LOOP_GET_STATUS", !able || ioctl(dev, LOOP_GET_STATUS, &info) == 0 && info.lo_offset == 4096 && !strcmp(info.lo_name, "the file"));
	info.lo_offset = 8192;
	strcpy(info.lo_name, "another");
	ok("LOOP_SET_STATUS", !able || ioctl(dev, LOOP_SET_STATUS, &info) == 0);
	ok("is told", !able || ioctl(dev, LOOP_GET_STATUS64, &info64) == 0 && info64.lo_offset == 8192 && !strcmp((char *)info64.lo_file_name, "another"));
	uint64_t bytes = 0;
	unsigned long sectors = 0;
	int value = 0;
	ok("BLKGETSIZE64", !able || ioctl(dev, BLKGETSIZE64, &bytes) == 0 && bytes == (1 << 20) - 8192);
	ok("BLKGETSIZE", !able || ioctl(dev, BLKGETSIZE, &sectors) == 0 && sectors == ((1 << 20) - 8192) / 512);
	ok("BLKSSZGET", !able || ioctl(dev, BLKSSZGET, &value) == 0 && value == 512);
	ok("BLKROGET", !able || ioctl(dev, BLKROGET, &value) == 0 && value == 0);
	value = 1;
	ok("BLKROSET", !able || ioctl(dev, BLKROSET, &value) == 0 && ioctl(dev, BLKROGET, &value) == 0 && value == 1);
	value = 0;
	if (able)
		ioctl(dev, BLKROSET, &value);
	long ahead = 0;
	ok("BLKRAGET", !able || ioctl(dev, BLKRAGET, &ahead) == 0 && ahead >= 0 && ahead < 1 << 20);
	unsigned short rotational = 99;
	ok("BLKROTATIONAL", !able || ioctl(dev, BLKROTATIONAL, &rotational) == 0 && rotational < 2);
	uint64_t range[2] = {0, 4096};
	ok("BLKZEROOUT", !able || ioctl(dev, BLKZEROOUT, range) == 0);
	ok("BLKFLSBUF", !able || ioctl(dev, BLKFLSBUF, 0) == 0);
	uint64_t seq = 0;
	ok("BLKGETDISKSEQ", !able || ioctl(dev, _IOR(0x12, 128, uint64_t), &seq) == 0 && seq > 0);
	ok("an unknown ioctl", !able || ioctl(dev, 0x12ff, 0) == -1 && (errno == ENOTTY || errno == EINVAL));
	ok("LOOP_CLR_FD", !able || ioctl(dev, LOOP_CLR_FD) == 0);
	close(dev), close(control), close(file);
}

static void tunnels(void)
{
	int fd = open("/dev/net/tun", O_RDWR);
	struct ifreq r = {0};
	r.ifr_flags = IFF_TAP | IFF_NO_PI;
	int able = fd >= 0 && ioctl(fd, TUNSETIFF, &r) == 0;
	ok("TUNSETIFF", able ? r.ifr_name[0] : errno == EPERM || errno == EACCES || errno == ENOENT);
	unsigned features = 0;
	ok("TUNGETFEATURES", !able || ioctl(fd, TUNGETFEATURES, &features) == 0 && features & IFF_TAP);
	struct ifreq q = {0};
	ok("TUNGETIFF", !able || ioctl(fd, TUNGETIFF, &q) == 0 && !strcmp(q.ifr_name, r.ifr_name) && q.ifr_flags & IFF_TAP);
	int size = 12;
	ok("TUNSETVNETHDRSZ", !able || ioctl(fd, TUNSETVNETHDRSZ, &size) == 0);
	ok("TUNSETOFFLOAD", !able || ioctl(fd, TUNSETOFFLOAD, 0) == 0);
	ok("SIOCGIFHWADDR", !able || ioctl(fd, SIOCGIFHWADDR, &q) == 0);
	ok("TUNSETCARRIER", !able || ioctl(fd, TUNSETCARRIER, &(int){1}) == 0);
	close(fd);
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	strcpy(q.ifr_name, "lo");
	ok("SIOCGIFINDEX", ioctl(s, SIOCGIFINDEX, &q) == 0 && q.ifr_ifindex > 0);
	int index = q.ifr_ifindex;
	ok("SIOCGIFNAME", ioctl(s, SIOCGIFNAME, &q) == 0 && !strcmp(q.ifr_name, "lo") && q.ifr_ifindex == index);
	ok("SIOCGIFMTU", ioctl(s, SIOCGIFMTU, &q) == 0 && q.ifr_mtu >= 16384);
	struct ethtool_value link = {ETHTOOL_GLINK};
	q.ifr_data = (void *)&link;
	ok("ETHTOOL_GLINK", ioctl(s, SIOCETHTOOL, &q) == 0 && link.data <= 1);
	struct ethtool_drvinfo driver = {ETHTOOL_GDRVINFO};
	q.ifr_data = (void *)&driver;
	ok("ETHTOOL_GDRVINFO", ioctl(s, SIOCETHTOOL, &q) == 0 || errno == EOPNOTSUPP);
	strcpy(q.ifr_name, "nonesuch");
	fails("of no device", ioctl(s, SIOCGIFINDEX, &q), ENODEV);
	close(s);
}

static void consoles(void)
{
	int fd = open("/dev/tty0", O_RDONLY | O_NOCTTY);
	int able = fd >= 0;
	char type = 0;
	int value = -1;
	ok("KDGKBTYPE", !able || ioctl(fd, KDGKBTYPE, &type) == 0 && type == KB_101);
	ok("KDGETMODE", !able || ioctl(fd, KDGETMODE, &value) == 0 && value >= 0);
	struct vt_stat state;
	ok("VT_GETSTATE", !able || ioctl(fd, VT_GETSTATE, &state) == 0 && state.v_active > 0);
	struct kbentry entry = {0, 30};
	ok("KDGKBENT", !able || ioctl(fd, KDGKBENT, &entry) == 0);
	struct unipair pairs[4096];
	struct unimapdesc map = {4096, pairs};
	ok("GIO_UNIMAP", !able || ioctl(fd, GIO_UNIMAP, &map) == 0 && map.entry_ct > 0 || errno == ENOMEM);
	static unsigned char glyphs[512 * 32];
	struct console_font_op font = {KD_FONT_OP_GET, 0, 8, 32, 512, glyphs};
	ok("KDFONTOP", !able || ioctl(fd, KDFONTOP, &font) == 0 && font.width == 8 || errno == ENOSYS || errno == EINVAL);
	close(fd);
}

static void files(void)
{
	int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char page[8192];
	memset(page, 1, sizeof page);
	write(fd, page, sizeof page);
	fsync(fd);
	int flags = -1, left = -1, size = 0;
	ok("FS_IOC_GETFLAGS", ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 || errno == ENOTTY || errno == EOPNOTSUPP);
	struct fsxattr attr = {0};
	ok("FS_IOC_FSGETXATTR", ioctl(fd, FS_IOC_FSGETXATTR, &attr) == 0 || errno == ENOTTY || errno == EOPNOTSUPP);
	struct { struct fiemap m; struct fiemap_extent e[4]; } map = {{0, ~0ull, 0, 0, 4}};
	ok("FS_IOC_FIEMAP", ioctl(fd, FS_IOC_FIEMAP, &map) == 0 && map.m.fm_mapped_extents >= 1 && map.e[0].fe_length >= 4096 || errno == EOPNOTSUPP || errno == ENOTTY);
	ok("FIONREAD", ioctl(fd, FIONREAD, &left) == 0 && left == 0);
	ok("FIGETBSZ", ioctl(fd, FIGETBSZ, &size) == 0 && size >= 512);
	ok("FICLONE", ioctl(fd, FICLONE, open("clone", O_RDWR | O_CREAT, 0600)) == 0 || errno == EOPNOTSUPP || errno == EXDEV || errno == ENOTTY || errno == EINVAL);
	struct { struct file_dedupe_range r; struct file_dedupe_range_info i; } dedupe = {{0, 4096, 1}, {fd, 4096}};
	ok("FIDEDUPERANGE", ioctl(fd, FIDEDUPERANGE, &dedupe) == 0 || errno == EOPNOTSUPP || errno == ENOTTY);
	struct { uint8_t len, uuid[16]; } uuid;
	ok("FS_IOC_GETFSUUID", ioctl(fd, _IOR(0x15, 0, uuid), &uuid) == 0 && uuid.len == 16 || errno == ENOTTY);
	ok("FIBMAP of nobody's", ioctl(fd, FIBMAP, &(int){0}) == 0 || errno == EPERM || errno == EINVAL || errno == ENOTTY);
	struct fscrypt_policy_v1 policy;
	ok("FS_IOC_GET_ENCRYPTION_POLICY", ioctl(fd, FS_IOC_GET_ENCRYPTION_POLICY, &policy) == -1 && (errno == ENODATA || errno == EOPNOTSUPP || errno == ENOTTY));
	struct { uint64_t flags; uint64_t d[16]; } verity = {0};
	ok("FS_IOC_MEASURE_VERITY", ioctl(fd, _IOWR('f', 134, uint32_t), &verity) == -1 && (errno == ENODATA || errno == EOPNOTSUPP || errno == ENOTTY));
	struct { uint64_t s, l, m; } trim = {0, ~0ull, 1ull << 60};
	ok("FITRIM", ioctl(fd, FITRIM, &trim) == 0 || errno == EPERM || errno == EOPNOTSUPP || errno == ENOTTY || errno == EINVAL);
	/* PAGEMAP_SCAN */
	struct { uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, inverted, mask, anyof, ret; } scan = {sizeof scan, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1};
	uint64_t region[3 * 8];
	char *m = mmap(0, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	m[4096] = 1;
	int pm = open("/proc/self/pagemap", O_RDONLY);
	scan.start = (uintptr_t)m, scan.end = (uintptr_t)m + 4 * 4096, scan.vec = (uintptr_t)region, scan.vec_len = 8, scan.anyof = 8 /* PAGE_IS_PRESENT */, scan.ret = 8;
	int n = ioctl(pm, _IOWR('f', 16, scan), &scan);
	ok("PAGEMAP_SCAN", n == 1 && region[0] == (uintptr_t)m + 4096 || n == -1 && (errno == ENOTTY || errno == EPERM));
	close(fd);
}

static void others(void)
{
	int fd = open("/dev/urandom", O_RDONLY), value = -1;
	ok("RNDGETENTCNT", ioctl(fd, RNDGETENTCNT, &value) == 0 && value > 0);
	struct { int bits, size; char data[8]; } more = {0, 8, "entropy"};
	ok("RNDADDENTROPY", ioctl(fd, RNDADDENTROPY, &more) == 0 || errno == EPERM);
	close(fd);
	fd = open("/dev/rtc0", O_RDONLY);
	struct rtc_time t;
	ok("RTC_RD_TIME", fd < 0 || ioctl(fd, RTC_RD_TIME, &t) == 0 && t.tm_year > 100 || errno == EINVAL);
	close(fd);
	fd = open("/proc/self/ns/user", O_RDONLY);
	int parent = ioctl(fd, _IO(0xb7, 2) /* NS_GET_PARENT */), owner = -1;
	ok("NS_GET_PARENT", parent >= 0 || errno == EPERM);
	uid_t uid = 77;
	ok("NS_GET_OWNER_UID", ioctl(fd, _IO(0xb7, 4), &uid) == 0 && uid != 77);
	uint64_t id = 0;
	int mnt = open("/proc/self/ns/mnt", O_RDONLY);
	ok("NS_GET_MNTNS_ID", ioctl(mnt, _IOR(0xb7, 5, uint64_t), &id) == 0 && id || errno == ENOTTY);
	int self = syscall(434, getpid(), 0);
	struct { uint64_t mask, cgroup; uint32_t pid, tgid, ppid, ids[8]; int exit; } info = {1};
	int r = ioctl(self, _IOWR(0xff, 11, char[64]), &info);
	ok("PIDFD_GET_INFO", r == 0 && info.pid == getpid() || errno == ENOTTY);
	int ns = ioctl(self, _IO(0xff, 9) /* PIDFD_GET_UTS_NAMESPACE */, 0);
	ok("PIDFD_GET_UTS_NAMESPACE", ns >= 0 || errno == ENOTTY);
	fails("an ioctl of a file that has none", ioctl(self, 0x5413, &info), ENOTTY);
	fails("of no descriptor", ioctl(999, FIONREAD, &value), EBADF);
	int sockets[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
	write(sockets[0], "four", 4);
	ok("FIONREAD of a socket", ioctl(sockets[1], FIONREAD, &value) == 0 && value == 4);
	ok("SIOCOUTQ", ioctl(sockets[0], SIOCOUTQ, &value) == 0 && value > 0);
	ok("SIOCUNIXFILE", ioctl(sockets[0], 0x89e0, 0) == -1);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	timerfd_settime(timer, 0, &(struct itimerspec){{0}, {100, 0}}, 0);
	ok("TFD_IOC_SET_TICKS", ioctl(timer, _IOW('T', 0, uint64_t), &(uint64_t){5}) == 0 && read(timer, &id, 8) == 8 && id == 5 || errno == ENOTTY);
	fd = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	int faults = fd < 0 ? -1 : ioctl(fd, _IO(0xaa, 0), O_CLOEXEC);
	ok("USERFAULTFD_IOC_NEW", faults >= 0 || fd < 0);
	fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
#if defined(__x86_64__)
	ok("KVM is not for guests", 1);
#else
	/* The host's virtual machines are the host's processor. */
	ok("KVM is not for guests", fd < 0 || ioctl(fd, _IO(0xae, 0), 0) == -1 && errno == ENOTTY);
#endif
}

int main(void)
{
	loops();
	tunnels();
	consoles();
	files();
	others();
	return done();
}
