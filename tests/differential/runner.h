/* The runner's places in memory and the layout of a record: what runner.c and the assembler parts share with layout.rs. */
#define CODE 0x30000000     /* a slot of 64 bytes for each case of a batch; readable, writable, executable */
#define SLOTS 4096
#define SCRATCH 0x30050000  /* a page that may be read and written, then one that may not; nothing before it */
#define WINDOW 0x30050f00   /* its last 256 bytes are a case's memory */

#if defined(__aarch64__)
#define R_CODE 0
#define R_X 64
#define R_SP 312
#define R_NZCV 320
#define R_FPCR 328
#define R_FPSR 336
#define R_PC 344
#define R_SIGNAL 352
#define R_ADDRESS 360
#define R_V 368
#define R_MEMORY 880
#define R_SIZE 1136
#elif defined(__riscv)
/* One layout for both: words of eight bytes, of which RV32's registers are the low halves. VLENB is defined by the compiler's argument, and 0 where
 * there are no vectors. */
#define R_CODE 0
#define R_X 64
#define R_FCSR 320
#define R_PC 328
#define R_SIGNAL 336
#define R_ADDRESS 344
#define R_F 352
#define R_VSTART 608
#define R_VCSR 616
#define R_VL 624
#define R_VTYPE 632
#define R_MEMORY 640
#define R_V 896
#define R_SIZE (896 + 32 * VLENB)
#elif defined(__x86_64__) || defined(__i386__)
/* One layout for both: words of eight bytes. Of 32 bits the first eight registers of each kind are there. */
#define R_CODE 0
#define R_R 64
#define R_FLAGS 192
#define R_MXCSR 200
#define R_PC 208
#define R_SIGNAL 216
#define R_ADDRESS 224
#define R_XMM 240
#define R_YMM 496 /* the upper halves */
#define R_MEMORY 752
#if defined(__i386__)
#define R_SIZE 1008
#else
#define R_K 1008
#define R_ZMM 1072 /* the upper halves of the first 16, then the others */
#define R_MORE 1584
#define R_SIZE 2608
#endif
#else
#define R_CODE 0
#define R_R 64
#define R_CPSR 124
#define R_FPSCR 128
#define R_PC 132
#define R_SIGNAL 136
#define R_SICODE 140
#define R_ADDRESS 144
#define R_Q 160
#define R_MEMORY 416
#define R_SIZE 672
#endif
