# needs: musl-gcc
# Programs of another C library, started by its own dynamic loader: threads and their storage, signals, dlopen, jumps, wide characters, processes.
cat >one.c <<'EOF'
__thread int counted = 7;
int next(void) { return ++counted; }
__attribute__((constructor)) static void begin(void) { counted = 41; }
EOF
cat >main.c <<'EOF'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <locale.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

static __thread int own = 5;
static int (*next)(void);
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t together;
static long sum;
static sigjmp_buf back;
extern char **environ;

static void *thread(void *argument)
{
    pthread_barrier_wait(&together);
    for (int i = 0; i < 10000; i++) {
        pthread_mutex_lock(&lock);
        sum += own;
        pthread_mutex_unlock(&lock);
    }
    own += (int)(long)argument;
    return (void *)(long)(own * 100 + next());
}

static void caught(int signal, siginfo_t *info, void *context)
{
    siglongjmp(back, info->si_addr == (void *)16 ? 3 : 4);
}

static void *asleep(void *argument)
{
    pause();
    return NULL;
}

int main(int count, char **arguments)
{
    if (count > 1)
        return printf("child %s\n", arguments[1]), fflush(stdout), 9;
    void *library = dlopen("./one.so", RTLD_NOW);
    next = (int (*)(void))dlsym(library, "next");
    pthread_t threads[8];
    pthread_barrier_init(&together, NULL, 8);
    for (long i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, thread, (void *)i);
    long results = 0;
    for (int i = 0; i < 8; i++) {
        void *result;
        pthread_join(threads[i], &result);
        results += (long)result;
    }
    printf("threads %ld %ld, here %d %d\n", sum, results, own, next());
    struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    int how = sigsetjmp(back, 1);
    if (!how)
        *(volatile int *)16 = 1;
    printf("fault %d\n", how);
    pthread_t victim;
    void *end;
    pthread_create(&victim, NULL, asleep, NULL);
    pthread_cancel(victim);
    pthread_join(victim, &end);
    printf("cancelled %d, missing %d %s\n", end == PTHREAD_CANCELED, dlopen("./none.so", RTLD_NOW) != NULL, dlerror() ? "told" : "not told");
    char *child[] = {arguments[0], "spawned", NULL};
    pid_t pid;
    int status;
    fflush(stdout);
    posix_spawn(&pid, arguments[0], NULL, NULL, child, environ);
    waitpid(pid, &status, 0);
    printf("ended %d\n", WEXITSTATUS(status));
    setlocale(LC_ALL, "C.UTF-8");
    wchar_t wide[8];
    printf("wide %zu %lc\n", mbstowcs(wide, "a\u00e9\u4e2d", 8), (wint_t)0x4e2d);
    time_t day = 4102444800;
    printf("time %s", asctime(gmtime(&day)));
    printf("numbers %.17g %a %s\n", 0.1, 1e300, strtod("0x1p-1074", NULL) > 0 ? "subnormal" : "flushed");
    FILE *pipe = popen("echo through a shell", "r");
    char line[64];
    fgets(line, sizeof line, pipe);
    printf("%d %s", pclose(pipe), line);
    return 0;
}
EOF
musl-gcc -O2 -shared -fPIC one.c -o one.so && musl-gcc -O2 main.c -o dynamic
./dynamic; echo $?
loader=$(file dynamic | sed 's/.*interpreter \([^,]*\),.*/\1/'); $loader ./dynamic again; $loader --list ./dynamic | wc -l
cat >small.c <<'EOF'
#include <stdio.h>
int main(void) { return printf("static\n") != 7; }
EOF
musl-gcc -O2 -static small.c -o small && ./small; musl-gcc -O2 -static-pie small.c -o pie && ./pie
