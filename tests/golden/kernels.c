/* Small loops of the kinds that programs are made of. `build` compiles them; golden.rs looks at what becomes of the code. */
#include <stddef.h>
#include <stdint.h>

size_t length(const char *s)
{
	const char *end = s;
	while (*end)
		end++;
	return (size_t)(end - s);
}

/* Word by word, as C libraries look for a zero byte. */
const uint64_t *zero_byte(const uint64_t *p)
{
	while (((*p - 0x0101010101010101) & ~*p & 0x8080808080808080) == 0)
		p++;
	return p;
}

int same_text(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (unsigned char)*a - (unsigned char)*b;
}

uint32_t hash(const uint8_t *p, size_t n)
{
	uint32_t h = 2166136261u;
	while (n--)
		h = (h ^ *p++) * 16777619u;
	return h;
}

uint32_t crc(uint32_t crc, const uint8_t *p, size_t n)
{
	while (n--) {
		crc ^= *p++;
		for (int k = 0; k < 8; k++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
	}
	return crc;
}

struct node { struct node *next; long key, value; };

long find(const struct node *n, long key)
{
	for (; n; n = n->next)
		if (n->key == key)
			return n->value;
	return -1;
}

size_t search(const int *a, size_t n, int key)
{
	size_t low = 0;
	while (low < n) {
		size_t middle = low + (n - low) / 2;
		if (a[middle] < key)
			low = middle + 1;
		else
			n = middle;
	}
	return low;
}

void insertion_sort(int *a, long n)
{
	for (long i = 1; i < n; i++) {
		int x = a[i];
		long j = i;
		for (; j > 0 && a[j - 1] > x; j--)
			a[j] = a[j - 1];
		a[j] = x;
	}
}

uint64_t digits(uint64_t n)
{
	uint64_t sum = 0;
	for (; n; n /= 10)
		sum += n % 10;
	return sum;
}

void histogram(uint32_t *counts, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		counts[p[i]]++;
}

uint64_t sum_bytes(const uint8_t *p, size_t n)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += p[i];
	return sum;
}

uint32_t differences(const uint8_t *a, const uint8_t *b, size_t n)
{
	uint32_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += (uint32_t)(a[i] > b[i] ? a[i] - b[i] : b[i] - a[i]);
	return sum;
}

void add_scaled(float *restrict y, const float *restrict x, float a, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] += a * x[i];
}

double dot(const double *x, const double *y, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += x[i] * y[i];
	return sum;
}

int steps(double x, double y)
{
	double re = 0, im = 0;
	int n = 0;
	for (; n < 1000 && re * re + im * im < 4; n++) {
		double t = re * re - im * im + x;
		im = 2 * re * im + y;
		re = t;
	}
	return n;
}

/* Many scalars at once, differences of products. */
void rotate(double *x, double *y, double c, double s, long n)
{
	for (long i = 0; i < n; i++) {
		double u = x[i], v = y[i];
		x[i] = c * u - s * v;
		y[i] = v * c + u * s;
	}
}

/* Singles: halves of arm's D registers. */
float path(const float *x, const float *y, long n)
{
	float sum = 0;
	for (long i = 1; i < n; i++) {
		float dx = x[i] - x[i - 1], dy = y[i] - y[i - 1];
		sum += dx * dx + dy * dy;
	}
	return sum;
}

void to_grey(uint8_t *restrict to, const uint8_t *restrict rgb, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)((rgb[3 * i] * 77 + rgb[3 * i + 1] * 151 + rgb[3 * i + 2] * 28) >> 8);
}

void swap_words(uint32_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = __builtin_bswap32(p[i]);
}

uint64_t mix(const uint64_t *p, size_t n)
{
	uint64_t a = 1, b = 2;
	for (size_t i = 0; i < n; i++) {
		a += p[i] ^ (b << 13 | b >> 51);
		b = (a << 17 | a >> 47) - b;
	}
	return a ^ b;
}

double least(const double *p, size_t n)
{
	double m = p[0];
	for (size_t i = 1; i < n; i++)
		if (p[i] < m)
			m = p[i];
	return m;
}

/* Copies that no compiler has seen to. */
#define PLAIN __attribute__((optimize("no-tree-loop-distribute-patterns", "no-tree-vectorize")))

PLAIN void copy_text(uint8_t *restrict to, const uint8_t *restrict from)
{
	while ((*to++ = *from++))
		;
}

PLAIN void copy_words(uint64_t *restrict to, const uint64_t *from, const uint64_t *end)
{
	for (; from != end; from += 4, to += 4) {
		uint64_t a = from[0], b = from[1], c = from[2], d = from[3];
		to[0] = a, to[1] = b, to[2] = c, to[3] = d;
	}
}

PLAIN void fill_halves(uint16_t *to, uint16_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = v;
}

/* What C libraries write by hand: a conditional comparison, the largest of pairs, sums of bytes with their carries. */
#ifdef __aarch64__
const uint64_t *equal_words(const uint64_t *a, const uint64_t *b)
{
	uint64_t x, y;
	__asm__("1: ldr %2, [%0], #8\n ldr %3, [%1], #8\n cmp %2, #0\n ccmp %2, %3, #0, ne\n b.eq 1b"
		: "+r"(a), "+r"(b), "=&r"(x), "=&r"(y) : : "cc", "memory");
	return a;
}

const uint8_t *any_byte(const uint8_t *p)
{
	uint64_t any;
	__asm__("1: ldp q0, q1, [%0], #32\n orr v0.16b, v0.16b, v1.16b\n umaxp v0.16b, v0.16b, v0.16b\n fmov %1, d0\n cbz %1, 1b"
		: "+r"(p), "=&r"(any) : : "v0", "v1", "memory");
	return p;
}
#endif
#ifdef __arm__
const uint32_t *equal_bytes(const uint32_t *a, const uint32_t *b)
{
	uint32_t ones = ~0u, found;
	__asm__("1: ldrd r4, r5, [%0], #8\n ldrd r6, r7, [%1], #8\n uadd8 %3, r4, %2\n eor r6, r6, r4\n sel r6, r6, %2\n"
		"uadd8 %3, r5, %2\n eor r7, r7, r5\n sel r7, r7, %2\n orrs %3, r6, r7\n beq 1b"
		: "+r"(a), "+r"(b), "+r"(ones), "=&r"(found) : : "r4", "r5", "r6", "r7", "cc", "memory");
	return a;
}

/* Comparisons that are made if the one before found a difference: a count, a character and the end. */
const uint8_t *character(const uint8_t *p, unsigned c, unsigned n)
{
	unsigned is;
	__asm__("1: ldrb %1, [%0, #1]!\n subs %2, #1\n it ne\n cmpne %1, %3\n it ne\n cmpne %1, #0\n bne 1b"
		: "+r"(p), "=&r"(is), "+r"(n) : "r"(c) : "cc", "memory");
	return p;
}
#endif
