// Runs cases of x86 instructions: reads records from standard input, runs the code of each on its state, writes them back with what became of it.
// Built for the host; run by it, and under rqemu. tests/native.rs makes the records and compares.

#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE 96
#define WINDOW 256
#define COUNT 4096
/* Where code and data of each case stand. */
#define CODE_AT 0x20000000ul
#define DATA_AT 0x30000000ul
#define SLOT 256

struct state {
    uint64_t general[16];
    uint64_t rip, rflags;
    uint8_t xmm[16][16];
    uint32_t mxcsr, signal;
    uint64_t spare;
};

struct record {
    struct state state;
    uint8_t code[CODE];
    uint8_t window[WINDOW];
};

struct state current;
uint64_t host_stack;

void enter(uint64_t code);
void leave(void);

/* A fault: the state is the frame's. */
static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)info;
    ucontext_t *uc = context;
    static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                  REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    greg_t *g = uc->uc_mcontext.gregs;
    for (int i = 0; i < 16; i++)
        current.general[i] = g[order[i]];
    current.rip = g[REG_RIP];
    current.rflags = g[REG_EFL];
    memcpy(current.xmm, uc->uc_mcontext.fpregs->_xmm, sizeof current.xmm);
    current.mxcsr = uc->uc_mcontext.fpregs->mxcsr;
    current.signal = signal;
    /* On with the runner: `leave` has a second entry that saves nothing. */
    extern char leave_saved[];
    g[REG_RIP] = (greg_t)leave_saved;
    g[REG_EFL] = 0x202;
}

static struct record records[COUNT];

int main(void) {
    static char stack[65536];
    stack_t alternative = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&alternative, NULL);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
    uint8_t *data = mmap((void *)DATA_AT, COUNT * SLOT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    size_t got;
    while ((got = fread(records, sizeof *records, COUNT, stdin)) > 0) {
        /* Fresh pages for each batch: code is written once, before it runs. */
        munmap((void *)CODE_AT, COUNT * SLOT);
        uint8_t *code = mmap((void *)CODE_AT, COUNT * SLOT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (code == MAP_FAILED || data == MAP_FAILED)
            return 1;
        memset(code, 0xcc, COUNT * SLOT);
        for (size_t i = 0; i < got; i++) {
            uint8_t *at = code + i * SLOT;
            memcpy(at, records[i].code, CODE);
            /* jmp [rip]; the address of `leave` */
            static const uint8_t jump[6] = {0xff, 0x25, 0, 0, 0, 0};
            uint64_t target = (uint64_t)leave;
            memcpy(at + CODE, jump, 6);
            memcpy(at + CODE + 6, &target, 8);
        }
        mprotect(code, COUNT * SLOT, PROT_READ | PROT_EXEC);
        for (size_t i = 0; i < got; i++) {
            memcpy(data + i * SLOT, records[i].window, WINDOW);
            current = records[i].state;
            current.signal = 0;
            enter((uint64_t)(code + i * SLOT));
            records[i].state = current;
            memcpy(records[i].window, data + i * SLOT, WINDOW);
        }
        if (fwrite(records, sizeof *records, got, stdout) != got)
            return 1;
    }
    return fflush(stdout) != 0;
}
