/* Runs cases of the random differential test: batches of records on standard input, the same records with the state that each case left
 * on standard output, and after each batch the scratch page. Freestanding: nothing but what it does itself may touch guest state.
 * The records are described in layout.rs. */
#include "runner.h"

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#if defined(__aarch64__) || defined(__riscv)
enum { READ = 63, WRITE = 64, EXIT = 93, SIGALTSTACK = 132, SIGACTION = 134, MMAP = 222, MPROTECT = 226 };
#elif defined(__x86_64__)
enum { READ = 0, WRITE = 1, EXIT = 60, SIGALTSTACK = 131, SIGACTION = 13, MMAP = 9, MPROTECT = 10 };
#else
enum { READ = 3, WRITE = 4, EXIT = 1, SIGALTSTACK = 186, SIGACTION = 174, MMAP = 192, MPROTECT = 125 };
#endif
enum { SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGFPE = 8, SIGSEGV = 11, SIGSYS = 31 };
enum { SA_SIGINFO = 4, SA_RESTORER = 0x04000000, SA_ONSTACK = 0x08000000, SA_NODEFER = 0x40000000 };
/* The word that gives the link register its value at the start of a slot, and how a slot ends. */
#if defined(__aarch64__)
#define PREFIX 0xd53bd05e
#elif defined(__riscv)
/* gp holds the slot's address and takes no part: a NOP, so that words stand where they do elsewhere. */
#define PREFIX 0x00000013
#elif !defined(__x86_64__) && !defined(__i386__)
#define PREFIX 0xee1def50
#define PREFIX_THUMB 0xef50ee1d
#define THUMB 0x20
#endif

long call(long number, ...);
void run_case(u8 *record, void *slot);
void copy_window(void *to, const void *from);
void flush(char *start, char *end);
void case_end(void), case_end_thumb(void), case_left(void), return_from_handler(void);

extern u8 *current;

static u8 records[SLOTS * R_SIZE] __attribute__((aligned(64)));
static u8 handler_stack[65536] __attribute__((aligned(64)));

static void copy(void *to, const void *from, unsigned long n)
{
    for (unsigned long i = 0; i < n; i += 8)
        *(u64 *)((u8 *)to + i) = *(const u64 *)((const u8 *)from + i);
}

static u32 get32(const u8 *at)
{
    return *(const u32 *)at;
}

static void put32(u8 *at, u32 v)
{
    *(u32 *)at = v;
}

static void stop(int status)
{
    call(EXIT, status, 0, 0, 0, 0, 0);
}

/* ---- signals: the state that the frame has is the case's result ---- */

#if defined(__aarch64__)
struct frame {
    u64 flags, link, stack[3], mask[16];
    u64 fault_address __attribute__((aligned(16))), x[31], sp, pc, pstate;
    u8 more[4096] __attribute__((aligned(16)));
};

struct fpsimd {
    u32 magic, size, fpsr, fpcr;
    u8 v[512];
};

static void take_state(u8 *record, struct frame *frame)
{
    copy(record + R_X, frame->x, 8 * 32);
    *(u64 *)(record + R_NZCV) = frame->pstate & 0xf0000000;
    *(u64 *)(record + R_PC) = frame->pc;
    struct fpsimd *f = (struct fpsimd *)frame->more;
    while (f->size && f->magic != 0x46508001)
        f = (struct fpsimd *)((u8 *)f + f->size);
    if (f->magic) {
        *(u64 *)(record + R_FPCR) = f->fpcr;
        *(u64 *)(record + R_FPSR) = f->fpsr;
        copy(record + R_V, f->v, 512);
    }
}

static void leave(struct frame *frame)
{
    frame->pc = (u64)case_left;
    frame->pstate = 0;
}
#elif defined(__riscv)
struct frame {
    unsigned long flags, link, stack[3];
    u8 mask[128];
    unsigned long pc __attribute__((aligned(16))), x[31];
    u64 f[32];
    u32 fcsr;
};

static void take_state(u8 *record, struct frame *frame)
{
    for (int i = 1; i < 32; i++)
        *(u64 *)(record + R_X + 8 * i) = i == 3 ? 0 : frame->x[i - 1];
    *(u64 *)(record + R_PC) = frame->pc;
    *(u64 *)(record + R_FCSR) = frame->fcsr;
    copy(record + R_F, frame->f, 256);
}

static void leave(struct frame *frame)
{
    frame->pc = (unsigned long)case_left;
}
#elif defined(__x86_64__)
struct frame {
    u64 flags, link, stack[3];
    u64 r8[8], rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, pc, eflags, selectors, error, trap, mask, cr2;
    u8 *more;
};

/* What XSAVE keeps of AVX-512 stands where CPUID says; nothing where the processor has none. */
static void take_component(u8 *to, const u8 *more, u32 n, u32 size)
{
    u32 a = 13, b, c = n, d;
    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if (!a)
        return;
    for (u32 i = 0; i < size; i += 8)
        *(u64 *)(to + i) = get32(more + 512) >> n & 1 ? *(u64 *)(more + b + i) : 0;
}

/* FXSAVE's image, and behind it XSAVE's header and the upper halves of the YMM registers, if the frame has them. */
static void take_vectors(u8 *record, const u8 *more)
{
    *(u64 *)(record + R_MXCSR) = get32(more + 24);
    copy(record + R_XMM, more + 160, 256);
    if (get32(more + 464) != 0x46505853)
        return;
    for (int i = 0; i < 256; i += 8)
        *(u64 *)(record + R_YMM + i) = get32(more + 512) & 4 ? *(u64 *)(more + 576 + i) : 0;
    take_component(record + R_K, more, 5, 64);
    take_component(record + R_ZMM, more, 6, 512);
    take_component(record + R_MORE, more, 7, 1024);
}

static void take_state(u8 *record, struct frame *frame)
{
    const u64 first[8] = {frame->rax, frame->rcx, frame->rdx, frame->rbx, frame->rsp, frame->rbp, frame->rsi, frame->rdi};
    copy(record + R_R, first, 64);
    copy(record + R_R + 64, frame->r8, 64);
    *(u64 *)(record + R_FLAGS) = frame->eflags;
    *(u64 *)(record + R_PC) = frame->pc;
    take_vectors(record, frame->more);
}

static void leave(struct frame *frame)
{
    frame->pc = (u64)case_left;
    frame->eflags &= ~0x400ull;
}
#elif defined(__i386__)
struct frame {
    u32 flags, link, stack[3];
    u32 selectors[4], edi, esi, ebp, esp, ebx, edx, ecx, eax, trap, error, pc, cs, eflags, esp_at_signal, ss;
    u8 *more;
    u32 mask, cr2;
};

static void take_state(u8 *record, struct frame *frame)
{
    const u32 all[8] = {frame->eax, frame->ecx, frame->edx, frame->ebx, frame->esp, frame->ebp, frame->esi, frame->edi};
    for (int i = 0; i < 8; i++)
        *(u64 *)(record + R_R + 8 * i) = all[i];
    *(u64 *)(record + R_FLAGS) = frame->eflags;
    *(u64 *)(record + R_PC) = frame->pc;
    /* FSAVE's image, then FXSAVE's. */
    *(u64 *)(record + R_MXCSR) = get32(frame->more + 112 + 24);
    copy(record + R_XMM, frame->more + 112 + 160, 128);
}

static void leave(struct frame *frame)
{
    frame->pc = (u32)case_left;
    frame->eflags &= ~0x400u;
}
#else
struct frame {
    u32 flags, link, stack[3];
    u32 trap, error, oldmask, r[16], cpsr, fault_address;
    u32 mask[32];
    u8 more[512] __attribute__((aligned(8)));
};

struct vfp {
    u32 magic, size;
    u8 d[256];
    u32 fpscr;
};

static void take_state(u8 *record, struct frame *frame)
{
    for (int i = 0; i < 15; i++)
        put32(record + R_R + 4 * i, frame->r[i]);
    put32(record + R_CPSR, frame->cpsr);
    put32(record + R_PC, frame->r[15]);
    struct vfp *f = (struct vfp *)frame->more;
    while (f->size && f->magic != 0x56465001)
        f = (struct vfp *)((u8 *)f + f->size);
    if (f->magic) {
        put32(record + R_FPSCR, f->fpscr);
        copy(record + R_Q, f->d, 256);
    }
}

static void leave(struct frame *frame)
{
    frame->r[15] = (u32)case_left;
    frame->cpsr = 0x10;
}
#endif

static void handler(int signal, int *info, struct frame *frame)
{
    u8 *record = current;
    if (!record)
        stop(99);
    take_state(record, frame);
    put32(record + R_SIGNAL, signal);
    put32(record + R_SIGNAL + 4, info[2]);
#ifdef __LP64__
    *(u64 *)(record + R_ADDRESS) = *(u64 *)(info + 4);
#else
    put32(record + R_ADDRESS, info[3]);
#endif
    leave(frame);
}

static void catch_signals(void)
{
    static const u8 signals[] = {SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGSYS};
    struct {
        void *base;
        int flags;
        unsigned long size;
    } stack = {handler_stack, 0, sizeof handler_stack};
    struct {
        void *handler;
        unsigned long flags;
#if !defined(__riscv)
        void *restorer;
#endif
        u64 mask;
    } action = {
        .handler = handler,
        .flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER,
    };
#if !defined(__riscv)
    action.flags |= SA_RESTORER;
    action.restorer = return_from_handler;
#endif
    call(SIGALTSTACK, &stack, 0, 0, 0, 0, 0);
    for (unsigned i = 0; i < sizeof signals; i++)
        if (call(SIGACTION, (long)signals[i], &action, 0, 8, 0, 0) != 0)
            stop(98);
}

/* ---- batches ---- */

#if defined(__x86_64__) || defined(__i386__)
/* Writes a case's slot: up to 59 bytes, the way back. Returns the address to go to. */
static void *fill_slot(const u8 *record, u32 n)
{
    u8 *slot = (u8 *)(CODE + 64 * (unsigned long)n);
    u32 count = get32(record + R_CODE + 60);
    for (u32 i = 0; i < count && i < 59; i++)
        slot[i] = record[R_CODE + i];
    u8 *end = slot + count;
    *end = 0xe9;
    put32(end + 1, (unsigned long)case_end - (unsigned long)end - 5);
    return slot;
}

/* Code is written and run under different protections: that a program may do both at once is tested elsewhere. */
static void protect_code(int protection)
{
    if (call(MPROTECT, (long)CODE, 64L * SLOTS, (long)protection, 0, 0, 0) != 0)
        stop(95);
}
#else
/* Writes a case's slot: the link register's value, up to 14 words, the way back. Returns the address to go to. */
static void *fill_slot(const u8 *record, u32 n)
{
    u32 *slot = (u32 *)(CODE + 64 * (unsigned long)n);
    u32 count = get32(record + R_CODE + 60);
    for (u32 i = 0; i < count && i < 14; i++)
        slot[i + 1] = get32(record + R_CODE + 4 * i);
    u32 *end = slot + count + 1;
#if defined(__aarch64__)
    slot[0] = PREFIX;
    *end = 0x14000000 | (((u64)case_end - (u64)end) >> 2 & 0x3ffffff);
#elif defined(__riscv)
    /* J: imm[20|10:1|11|19:12], the distance forward and below 1 MiB. */
    u32 distance = (unsigned long)case_end - (unsigned long)end;
    slot[0] = PREFIX;
    *end = 0x6f | (distance >> 1 & 0x3ff) << 21 | (distance >> 11 & 1) << 20 | (distance & 0xff000);
#else
    if (get32(record + R_CPSR) & THUMB) {
        slot[0] = PREFIX_THUMB;
        /* B.W: 11110 S imm10 | 10 J1 1 J2 imm11, the distance forward and below 4 MiB, so that S is 0 and J1, J2 are 1. */
        u32 distance = ((u32)case_end_thumb & ~1u) - ((u32)end + 4);
        *end = 0xf000 | (distance >> 12 & 0x3ff) | (0xb800u | (distance >> 1 & 0x7ff)) << 16;
        return (u8 *)slot + 1;
    }
    slot[0] = PREFIX;
    *end = 0xea000000 | (((u32)case_end - (u32)end - 8) >> 2 & 0xffffff);
#endif
    return slot;
}

static void protect_code(int protection)
{
    if (!(protection & 2))
        flush((char *)CODE, (char *)CODE + 64 * SLOTS);
}
#endif

/* Whole buffers, unless the input ends. */
static long read_all(u8 *to, long size)
{
    long done = 0, n = 1;
    while (done < size && (n = call(READ, 0, to + done, size - done, 0, 0, 0)) > 0)
        done += n;
    return done;
}

static void write_all(const u8 *from, long size)
{
    while (size > 0) {
        long n = call(WRITE, 1, from, size, 0, 0, 0);
        if (n <= 0)
            stop(97);
        from += n;
        size -= n;
    }
}

static void run_batch(u32 count)
{
    static void *slots[SLOTS];
    protect_code(3);
    for (u32 i = 0; i < count; i++)
        slots[i] = fill_slot(records + i * R_SIZE, i);
    protect_code(5);
    for (unsigned long at = 0; at < 4096; at += 8)
        *(u64 *)(SCRATCH + at) = 0;
    for (u32 i = 0; i < count; i++) {
        u8 *record = records + i * R_SIZE;
        copy_window((void *)WINDOW, record + R_MEMORY);
        current = record;
        run_case(record, slots[i]);
        current = 0;
        copy_window(record + R_MEMORY, (void *)WINDOW);
    }
}

static void map(unsigned long address, unsigned long size, int protection)
{
    /* MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS */
    if ((unsigned long)call(MMAP, address, size, (long)protection, 0x32L, -1L, 0L) != address)
        stop(96);
}

void runner(void)
{
    map(CODE, 64 * SLOTS, 7);
    map(SCRATCH, 4096, 3);
    map(SCRATCH + 4096, 4096, 0);
    catch_signals();
    for (;;) {
        long size = read_all(records, sizeof records);
        if (size <= 0)
            stop(0);
        run_batch(size / R_SIZE);
        write_all(records, size);
        write_all((u8 *)SCRATCH, 4096);
    }
}
