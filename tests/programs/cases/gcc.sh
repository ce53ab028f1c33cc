# needs: gcc
# seconds: 180
# Compiles, assembles and links a program of several files with a library of its own, static and dynamic, and runs it.
cat >lib.c <<'EOF'
#include <stdarg.h>
#include <stdio.h>
__thread int per_thread = 41;
int add(int count, ...) { va_list v; va_start(v, count); int s = 0; while (count--) s += va_arg(v, int); va_end(v); return s; }
double poly(double x) { return ((2 * x - 3) * x + 0.5) * x; }
static void __attribute__((constructor)) start(void) { puts("constructor"); }
static void __attribute__((destructor)) end(void) { puts("destructor"); }
EOF
cat >main.c <<'EOF'
#include <complex.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int add(int, ...); double poly(double); extern __thread int per_thread;
static int cmp(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
static void *run(void *p) { per_thread += (int)(intptr_t)p; return (void *)(intptr_t)per_thread; }
int main(int argc, char **argv) {
	int a[] = {5, 2, 8, 1}; qsort(a, 4, sizeof *a, cmp);
	printf("%d %d %d %d | %d | %.3f\n", a[0], a[1], a[2], a[3], add(3, 1, 2, 3), poly(1.5));
	double complex z = cexp(I * 1.0); printf("%.6f %.6f %.10Lf\n", creal(z), cimag(z), sqrtl(2.0L));
	pthread_t t[4]; for (intptr_t i = 0; i < 4; i++) pthread_create(&t[i], 0, run, (void *)i);
	for (int i = 0; i < 4; i++) { void *r; pthread_join(t[i], &r); printf("%d ", (int)(intptr_t)r); }
	uint64_t x = 0x123456789abcdefull; printf("%llu %llu %d\n", (unsigned long long)(x / 1000003), (unsigned long long)(x % 1000003), __builtin_popcountll(x));
	printf("%d %s\n", argc, argv[argc - 1]); return 42;
}
EOF
for o in -O0 -O2 '-O3 -ftree-vectorize'; do gcc $o -fPIC -shared -o libl.so lib.c && gcc $o -o dyn main.c -L. -ll -lm -pthread -Wl,-rpath,'$ORIGIN' && ./dyn x y; echo "$o: $?"; done
gcc -static -O2 -o st main.c lib.c -lm -pthread && ./st static; echo $?; gcc -g -c lib.c && objdump -h lib.o | grep -c debug; ar rcs l.a lib.o && nm l.a | grep -w T; gcc -S -o - lib.c | grep -c .; gcc -E -dM - </dev/null | grep -cE '__(aarch64__|arm__) 1'; echo 'int main(){return x;}' | gcc -xc - 2>&1 | grep -c error; readelf -h dyn | grep -E 'Type|Machine'; strip dyn && ./dyn stripped | tail -n 2; gcc -flto -O2 -o lto main.c lib.c -lm -pthread && ./lto lto | head -n 2
