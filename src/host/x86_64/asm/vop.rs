//! The vector instructions as rows, named by mnemonic (SDM vol. 2). How they are encoded is in `vec`.
//!
//! Suffixes tell rows of one mnemonic apart: `_ST` has its destination in r/m, `_I` takes an immediate, `_RR` is between registers, `_G`
//! (`_GST`, `_TOG`) is from (to) a general register, `_D` and `_Q` say its size, `_K` writes a mask register. A row with both VEX and EVEX forms
//! under different names has the name of the VEX form; with a write mask the EVEX form has elements of its own size (`VPAND`: 32 bits).

/// A row: how one vector instruction is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VOp {
    /// Mandatory prefix: none, 66, f3, f2.
    pub(super) pp: u8,
    /// Opcode map: 1 is `0f`, 2 `0f38`, 3 `0f3a`.
    pub(super) map: u8,
    pub(super) code: u8,
    /// W in each encoding, or [`NO`] if there is none.
    pub(super) vex_w: u8,
    pub(super) evex_w: u8,
    pub(super) tuple: Tuple,
    /// For shifts by a constant, the reg field.
    pub(super) ext: u8,
}

impl VOp {
    /// Whether it needs AVX-512 whatever its registers.
    pub const fn is_evex_only(self) -> bool {
        self.vex_w == NO
    }

    /// Whether it can take registers 16 and up, masks and 512 bits.
    pub const fn has_evex(self) -> bool {
        self.evex_w != NO
    }
}

pub(super) const NO: u8 = 2;

/// The memory operand's size, which scales 8-bit displacements in EVEX, as the binary logarithm of its bytes in bits 0 to 2; whether it grows
/// with the vector's; whether it can be one element broadcast (SDM vol. 2, 2.7.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tuple(pub(super) u8);

impl Tuple {
    pub(super) const SCALED: u8 = 0x80;
    pub(super) const BCAST: u8 = 0x20;
    /// The whole vector, or an element broadcast.
    pub(super) const FV: Tuple = Tuple(4 | Tuple::SCALED | Tuple::BCAST);
    pub(super) const FVM: Tuple = Tuple(4 | Tuple::SCALED);
    /// Half of it, or an element broadcast.
    pub(super) const HV: Tuple = Tuple(3 | Tuple::SCALED | Tuple::BCAST);
    pub(super) const HVM: Tuple = Tuple(3 | Tuple::SCALED);
    pub(super) const QVM: Tuple = Tuple(2 | Tuple::SCALED);
    pub(super) const OVM: Tuple = Tuple(1 | Tuple::SCALED);
    pub(super) const T1: Tuple = Tuple(0);
    pub(super) const T2: Tuple = Tuple(1);
    pub(super) const T4: Tuple = Tuple(2);
    pub(super) const T8: Tuple = Tuple(3);
    pub(super) const T16: Tuple = Tuple(4);
    pub(super) const T32: Tuple = Tuple(5);
    /// 8 bytes of 128 bits, all of wider vectors.
    pub(super) const DUP: Tuple = Tuple(3 | 0x40);
    /// Mask registers: VEX only, with L 0 or 1 as part of the opcode.
    pub(super) const KL0: Tuple = Tuple(0x08);
    pub(super) const KL1: Tuple = Tuple(0x18);
}

const NP: u8 = 0;
const P66: u8 = 1;
const PF3: u8 = 2;
const PF2: u8 = 3;
const M0F: u8 = 1;
const M38: u8 = 2;
const M3A: u8 = 3;
const V0: u8 = 0;
const V1: u8 = 1;
const V_: u8 = NO;
const E0: u8 = 0;
const E1: u8 = 1;
const E_: u8 = NO;

/// Which function encodes a row, and what its operands are: R a vector register, G a general one, K a mask; M a vector or memory, X only a vector, E a general
/// register or memory; V is the operand in vvvv. The tests read it; of the shifts by a constant it gives the reg field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[rustfmt::skip]
#[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "the names are the columns of the table")]
pub(super) enum Shape {
    // v3, v3i, v4
    RVM, RVM_M, RVX, RVE, RVMI, RVEI, RVMR, KVM, KVMI, KVK,
    // v2, v2i
    RM, RM_M, RE, RG, GM, GX, RK, KX, KK, KKR, KG, GK, RMI, KMI, GXI, KKI,
    // vst, vsti
    MR, MR_M, ER, MK, MRI, ERI,
    // vst3
    MVR,
    // vshift_i
    VMI0, VMI1, VMI2, VMI3, VMI4, VMI6, VMI7,
}

const fn ext(shape: Shape) -> u8 {
    match shape {
        Shape::VMI1 => 1,
        Shape::VMI2 => 2,
        Shape::VMI3 => 3,
        Shape::VMI4 => 4,
        Shape::VMI6 => 6,
        Shape::VMI7 => 7,
        _ => 0,
    }
}

macro_rules! rows {
    ($($name:ident = $pp:ident $map:ident $code:literal $vex:ident $evex:ident $tuple:ident $shape:ident;)*) => {
        $(pub const $name: VOp = VOp {
            pp: $pp, map: $map, code: $code, vex_w: $vex, evex_w: $evex, tuple: Tuple::$tuple, ext: ext(Shape::$shape),
        };)*

        /// All rows with their names.
        #[cfg(test)]
        pub(super) const ALL: &[(&str, VOp, Shape)] = &[$((stringify!($name), $name, Shape::$shape),)*];
    };
}

rows! {
    // Moves
    VMOVUPS            = NP  M0F 0x10 V0 E0 FVM RM;
    VMOVUPS_ST         = NP  M0F 0x11 V0 E0 FVM MR;
    VMOVUPD            = P66 M0F 0x10 V0 E1 FVM RM;
    VMOVUPD_ST         = P66 M0F 0x11 V0 E1 FVM MR;
    VMOVAPS            = NP  M0F 0x28 V0 E0 FVM RM;
    VMOVAPS_ST         = NP  M0F 0x29 V0 E0 FVM MR;
    VMOVAPD            = P66 M0F 0x28 V0 E1 FVM RM;
    VMOVAPD_ST         = P66 M0F 0x29 V0 E1 FVM MR;
    VMOVDQA            = P66 M0F 0x6f V0 E0 FVM RM;
    VMOVDQA_ST         = P66 M0F 0x7f V0 E0 FVM MR;
    VMOVDQU            = PF3 M0F 0x6f V0 E0 FVM RM;
    VMOVDQU_ST         = PF3 M0F 0x7f V0 E0 FVM MR;
    VMOVDQA32          = P66 M0F 0x6f V_ E0 FVM RM;
    VMOVDQA32_ST       = P66 M0F 0x7f V_ E0 FVM MR;
    VMOVDQA64          = P66 M0F 0x6f V_ E1 FVM RM;
    VMOVDQA64_ST       = P66 M0F 0x7f V_ E1 FVM MR;
    VMOVDQU8           = PF2 M0F 0x6f V_ E0 FVM RM;
    VMOVDQU8_ST        = PF2 M0F 0x7f V_ E0 FVM MR;
    VMOVDQU16          = PF2 M0F 0x6f V_ E1 FVM RM;
    VMOVDQU16_ST       = PF2 M0F 0x7f V_ E1 FVM MR;
    VMOVDQU32          = PF3 M0F 0x6f V_ E0 FVM RM;
    VMOVDQU32_ST       = PF3 M0F 0x7f V_ E0 FVM MR;
    VMOVDQU64          = PF3 M0F 0x6f V_ E1 FVM RM;
    VMOVDQU64_ST       = PF3 M0F 0x7f V_ E1 FVM MR;
    VMOVNTDQ_ST        = P66 M0F 0xe7 V0 E0 FVM MR_M;
    VMOVNTDQA          = P66 M38 0x2a V0 E0 FVM RM_M;
    VMOVSS             = PF3 M0F 0x10 V0 E0 T4  RM_M;
    VMOVSS_RR          = PF3 M0F 0x10 V0 E0 T4  RVX;
    VMOVSS_ST          = PF3 M0F 0x11 V0 E0 T4  MR_M;
    VMOVSD             = PF2 M0F 0x10 V0 E1 T8  RM_M;
    VMOVSD_RR          = PF2 M0F 0x10 V0 E1 T8  RVX;
    VMOVSD_ST          = PF2 M0F 0x11 V0 E1 T8  MR_M;
    VMOVLPS            = NP  M0F 0x12 V0 E0 T8  RVM_M;
    VMOVLPS_ST         = NP  M0F 0x13 V0 E0 T8  MR_M;
    VMOVLPD            = P66 M0F 0x12 V0 E1 T8  RVM_M;
    VMOVLPD_ST         = P66 M0F 0x13 V0 E1 T8  MR_M;
    VMOVHPS            = NP  M0F 0x16 V0 E0 T8  RVM_M;
    VMOVHPS_ST         = NP  M0F 0x17 V0 E0 T8  MR_M;
    VMOVHPD            = P66 M0F 0x16 V0 E1 T8  RVM_M;
    VMOVHPD_ST         = P66 M0F 0x17 V0 E1 T8  MR_M;
    VMOVHLPS           = NP  M0F 0x12 V0 E0 T8  RVX;
    VMOVLHPS           = NP  M0F 0x16 V0 E0 T8  RVX;
    VMOVDDUP           = PF2 M0F 0x12 V0 E1 DUP RM;
    VMOVSLDUP          = PF3 M0F 0x12 V0 E0 FVM RM;
    VMOVSHDUP          = PF3 M0F 0x16 V0 E0 FVM RM;
    VMOVD              = P66 M0F 0x6e V0 E0 T4  RE;
    VMOVD_ST           = P66 M0F 0x7e V0 E0 T4  ER;
    VMOVQ_G            = P66 M0F 0x6e V1 E1 T8  RE;
    VMOVQ_GST          = P66 M0F 0x7e V1 E1 T8  ER;
    VMOVQ              = PF3 M0F 0x7e V0 E1 T8  RM;
    VMOVQ_ST           = P66 M0F 0xd6 V0 E1 T8  MR;
    VMOVMSKPS          = NP  M0F 0x50 V0 E_ FVM GX;
    VMOVMSKPD          = P66 M0F 0x50 V0 E_ FVM GX;
    VPMOVMSKB          = P66 M0F 0xd7 V0 E_ FVM GX;
    VMASKMOVPS         = P66 M38 0x2c V0 E_ FVM RVM_M;
    VMASKMOVPS_ST      = P66 M38 0x2e V0 E_ FVM MVR;
    VMASKMOVPD         = P66 M38 0x2d V0 E_ FVM RVM_M;
    VMASKMOVPD_ST      = P66 M38 0x2f V0 E_ FVM MVR;
    VPMASKMOVD         = P66 M38 0x8c V0 E_ FVM RVM_M;
    VPMASKMOVD_ST      = P66 M38 0x8e V0 E_ FVM MVR;
    VPMASKMOVQ         = P66 M38 0x8c V1 E_ FVM RVM_M;
    VPMASKMOVQ_ST      = P66 M38 0x8e V1 E_ FVM MVR;

    // Logic
    VANDPS             = NP  M0F 0x54 V0 E0 FV  RVM;
    VANDPD             = P66 M0F 0x54 V0 E1 FV  RVM;
    VANDNPS            = NP  M0F 0x55 V0 E0 FV  RVM;
    VANDNPD            = P66 M0F 0x55 V0 E1 FV  RVM;
    VORPS              = NP  M0F 0x56 V0 E0 FV  RVM;
    VORPD              = P66 M0F 0x56 V0 E1 FV  RVM;
    VXORPS             = NP  M0F 0x57 V0 E0 FV  RVM;
    VXORPD             = P66 M0F 0x57 V0 E1 FV  RVM;
    VPAND              = P66 M0F 0xdb V0 E0 FV  RVM;
    VPANDD             = P66 M0F 0xdb V_ E0 FV  RVM;
    VPANDQ             = P66 M0F 0xdb V_ E1 FV  RVM;
    VPANDN             = P66 M0F 0xdf V0 E0 FV  RVM;
    VPANDND            = P66 M0F 0xdf V_ E0 FV  RVM;
    VPANDNQ            = P66 M0F 0xdf V_ E1 FV  RVM;
    VPOR               = P66 M0F 0xeb V0 E0 FV  RVM;
    VPORD              = P66 M0F 0xeb V_ E0 FV  RVM;
    VPORQ              = P66 M0F 0xeb V_ E1 FV  RVM;
    VPXOR              = P66 M0F 0xef V0 E0 FV  RVM;
    VPXORD             = P66 M0F 0xef V_ E0 FV  RVM;
    VPXORQ             = P66 M0F 0xef V_ E1 FV  RVM;
    VPTERNLOGD         = P66 M3A 0x25 V_ E0 FV  RVMI;
    VPTERNLOGQ         = P66 M3A 0x25 V_ E1 FV  RVMI;
    VPTEST             = P66 M38 0x17 V0 E_ FVM RM;
    VTESTPS            = P66 M38 0x0e V0 E_ FVM RM;
    VTESTPD            = P66 M38 0x0f V0 E_ FVM RM;

    // Integer arithmetic
    VPADDB             = P66 M0F 0xfc V0 E0 FVM RVM;
    VPADDW             = P66 M0F 0xfd V0 E0 FVM RVM;
    VPADDD             = P66 M0F 0xfe V0 E0 FV  RVM;
    VPADDQ             = P66 M0F 0xd4 V0 E1 FV  RVM;
    VPSUBB             = P66 M0F 0xf8 V0 E0 FVM RVM;
    VPSUBW             = P66 M0F 0xf9 V0 E0 FVM RVM;
    VPSUBD             = P66 M0F 0xfa V0 E0 FV  RVM;
    VPSUBQ             = P66 M0F 0xfb V0 E1 FV  RVM;
    VPADDSB            = P66 M0F 0xec V0 E0 FVM RVM;
    VPADDSW            = P66 M0F 0xed V0 E0 FVM RVM;
    VPADDUSB           = P66 M0F 0xdc V0 E0 FVM RVM;
    VPADDUSW           = P66 M0F 0xdd V0 E0 FVM RVM;
    VPSUBSB            = P66 M0F 0xe8 V0 E0 FVM RVM;
    VPSUBSW            = P66 M0F 0xe9 V0 E0 FVM RVM;
    VPSUBUSB           = P66 M0F 0xd8 V0 E0 FVM RVM;
    VPSUBUSW           = P66 M0F 0xd9 V0 E0 FVM RVM;
    VPAVGB             = P66 M0F 0xe0 V0 E0 FVM RVM;
    VPAVGW             = P66 M0F 0xe3 V0 E0 FVM RVM;
    VPMINUB            = P66 M0F 0xda V0 E0 FVM RVM;
    VPMINSW            = P66 M0F 0xea V0 E0 FVM RVM;
    VPMAXUB            = P66 M0F 0xde V0 E0 FVM RVM;
    VPMAXSW            = P66 M0F 0xee V0 E0 FVM RVM;
    VPMINSB            = P66 M38 0x38 V0 E0 FVM RVM;
    VPMINUW            = P66 M38 0x3a V0 E0 FVM RVM;
    VPMAXSB            = P66 M38 0x3c V0 E0 FVM RVM;
    VPMAXUW            = P66 M38 0x3e V0 E0 FVM RVM;
    VPMINSD            = P66 M38 0x39 V0 E0 FV  RVM;
    VPMINUD            = P66 M38 0x3b V0 E0 FV  RVM;
    VPMAXSD            = P66 M38 0x3d V0 E0 FV  RVM;
    VPMAXUD            = P66 M38 0x3f V0 E0 FV  RVM;
    VPMINSQ            = P66 M38 0x39 V_ E1 FV  RVM;
    VPMINUQ            = P66 M38 0x3b V_ E1 FV  RVM;
    VPMAXSQ            = P66 M38 0x3d V_ E1 FV  RVM;
    VPMAXUQ            = P66 M38 0x3f V_ E1 FV  RVM;
    VPABSB             = P66 M38 0x1c V0 E0 FVM RM;
    VPABSW             = P66 M38 0x1d V0 E0 FVM RM;
    VPABSD             = P66 M38 0x1e V0 E0 FV  RM;
    VPABSQ             = P66 M38 0x1f V_ E1 FV  RM;
    VPSIGNB            = P66 M38 0x08 V0 E_ FVM RVM;
    VPSIGNW            = P66 M38 0x09 V0 E_ FVM RVM;
    VPSIGND            = P66 M38 0x0a V0 E_ FVM RVM;
    VPHADDW            = P66 M38 0x01 V0 E_ FVM RVM;
    VPHADDD            = P66 M38 0x02 V0 E_ FVM RVM;
    VPHADDSW           = P66 M38 0x03 V0 E_ FVM RVM;
    VPHSUBW            = P66 M38 0x05 V0 E_ FVM RVM;
    VPHSUBD            = P66 M38 0x06 V0 E_ FVM RVM;
    VPHSUBSW           = P66 M38 0x07 V0 E_ FVM RVM;
    VPMULLW            = P66 M0F 0xd5 V0 E0 FVM RVM;
    VPMULHW            = P66 M0F 0xe5 V0 E0 FVM RVM;
    VPMULHUW           = P66 M0F 0xe4 V0 E0 FVM RVM;
    VPMADDWD           = P66 M0F 0xf5 V0 E0 FVM RVM;
    VPSADBW            = P66 M0F 0xf6 V0 E0 FVM RVM;
    VPMADDUBSW         = P66 M38 0x04 V0 E0 FVM RVM;
    VPMULHRSW          = P66 M38 0x0b V0 E0 FVM RVM;
    VPMULUDQ           = P66 M0F 0xf4 V0 E1 FV  RVM;
    VPMULDQ            = P66 M38 0x28 V0 E1 FV  RVM;
    VPMULLD            = P66 M38 0x40 V0 E0 FV  RVM;
    VPMULLQ            = P66 M38 0x40 V_ E1 FV  RVM;
    VPMADD52LUQ        = P66 M38 0xb4 V_ E1 FV  RVM;
    VPMADD52HUQ        = P66 M38 0xb5 V_ E1 FV  RVM;
    VPHMINPOSUW        = P66 M38 0x41 V0 E_ FVM RM;
    VMPSADBW           = P66 M3A 0x42 V0 E_ FVM RVMI;
    VPDPBUSD           = P66 M38 0x50 V_ E0 FV  RVM;
    VPDPBUSDS          = P66 M38 0x51 V_ E0 FV  RVM;
    VPDPWSSD           = P66 M38 0x52 V_ E0 FV  RVM;
    VPDPWSSDS          = P66 M38 0x53 V_ E0 FV  RVM;
    VPDPBUSD_VEX       = P66 M38 0x50 V0 E_ FVM RVM;
    VPDPBUSDS_VEX      = P66 M38 0x51 V0 E_ FVM RVM;
    VPDPWSSD_VEX       = P66 M38 0x52 V0 E_ FVM RVM;
    VPDPWSSDS_VEX      = P66 M38 0x53 V0 E_ FVM RVM;
    VPOPCNTB           = P66 M38 0x54 V_ E0 FVM RM;
    VPOPCNTW           = P66 M38 0x54 V_ E1 FVM RM;
    VPOPCNTD           = P66 M38 0x55 V_ E0 FV  RM;
    VPOPCNTQ           = P66 M38 0x55 V_ E1 FV  RM;
    VPLZCNTD           = P66 M38 0x44 V_ E0 FV  RM;
    VPLZCNTQ           = P66 M38 0x44 V_ E1 FV  RM;
    VPCONFLICTD        = P66 M38 0xc4 V_ E0 FV  RM;
    VPCONFLICTQ        = P66 M38 0xc4 V_ E1 FV  RM;

    // Integer compares
    VPCMPEQB           = P66 M0F 0x74 V0 E_ FVM RVM;
    VPCMPEQW           = P66 M0F 0x75 V0 E_ FVM RVM;
    VPCMPEQD           = P66 M0F 0x76 V0 E_ FVM RVM;
    VPCMPGTB           = P66 M0F 0x64 V0 E_ FVM RVM;
    VPCMPGTW           = P66 M0F 0x65 V0 E_ FVM RVM;
    VPCMPGTD           = P66 M0F 0x66 V0 E_ FVM RVM;
    VPCMPEQQ           = P66 M38 0x29 V0 E_ FVM RVM;
    VPCMPGTQ           = P66 M38 0x37 V0 E_ FVM RVM;
    VPCMPB             = P66 M3A 0x3f V_ E0 FVM KVMI;
    VPCMPUB            = P66 M3A 0x3e V_ E0 FVM KVMI;
    VPCMPW             = P66 M3A 0x3f V_ E1 FVM KVMI;
    VPCMPUW            = P66 M3A 0x3e V_ E1 FVM KVMI;
    VPCMPD             = P66 M3A 0x1f V_ E0 FV  KVMI;
    VPCMPUD            = P66 M3A 0x1e V_ E0 FV  KVMI;
    VPCMPQ             = P66 M3A 0x1f V_ E1 FV  KVMI;
    VPCMPUQ            = P66 M3A 0x1e V_ E1 FV  KVMI;
    VPTESTMB           = P66 M38 0x26 V_ E0 FVM KVM;
    VPTESTNMB          = PF3 M38 0x26 V_ E0 FVM KVM;
    VPTESTMW           = P66 M38 0x26 V_ E1 FVM KVM;
    VPTESTNMW          = PF3 M38 0x26 V_ E1 FVM KVM;
    VPTESTMD           = P66 M38 0x27 V_ E0 FV  KVM;
    VPTESTNMD          = PF3 M38 0x27 V_ E0 FV  KVM;
    VPTESTMQ           = P66 M38 0x27 V_ E1 FV  KVM;
    VPTESTNMQ          = PF3 M38 0x27 V_ E1 FV  KVM;
    VPSHUFBITQMB       = P66 M38 0x8f V_ E0 FVM KVM;

    // Shifts by the low quadword of a register, by a constant, by element
    VPSLLW             = P66 M0F 0xf1 V0 E0 T16 RVM;
    VPSLLD             = P66 M0F 0xf2 V0 E0 T16 RVM;
    VPSLLQ             = P66 M0F 0xf3 V0 E1 T16 RVM;
    VPSRLW             = P66 M0F 0xd1 V0 E0 T16 RVM;
    VPSRLD             = P66 M0F 0xd2 V0 E0 T16 RVM;
    VPSRLQ             = P66 M0F 0xd3 V0 E1 T16 RVM;
    VPSRAW             = P66 M0F 0xe1 V0 E0 T16 RVM;
    VPSRAD             = P66 M0F 0xe2 V0 E0 T16 RVM;
    VPSRAQ             = P66 M0F 0xe2 V_ E1 T16 RVM;
    VPSLLW_I           = P66 M0F 0x71 V0 E0 FVM VMI6;
    VPSLLD_I           = P66 M0F 0x72 V0 E0 FV  VMI6;
    VPSLLQ_I           = P66 M0F 0x73 V0 E1 FV  VMI6;
    VPSRLW_I           = P66 M0F 0x71 V0 E0 FVM VMI2;
    VPSRLD_I           = P66 M0F 0x72 V0 E0 FV  VMI2;
    VPSRLQ_I           = P66 M0F 0x73 V0 E1 FV  VMI2;
    VPSRAW_I           = P66 M0F 0x71 V0 E0 FVM VMI4;
    VPSRAD_I           = P66 M0F 0x72 V0 E0 FV  VMI4;
    VPSRAQ_I           = P66 M0F 0x72 V_ E1 FV  VMI4;
    VPSLLDQ_I          = P66 M0F 0x73 V0 E0 FVM VMI7;
    VPSRLDQ_I          = P66 M0F 0x73 V0 E0 FVM VMI3;
    VPROLD_I           = P66 M0F 0x72 V_ E0 FV  VMI1;
    VPROLQ_I           = P66 M0F 0x72 V_ E1 FV  VMI1;
    VPRORD_I           = P66 M0F 0x72 V_ E0 FV  VMI0;
    VPRORQ_I           = P66 M0F 0x72 V_ E1 FV  VMI0;
    VPSLLVD            = P66 M38 0x47 V0 E0 FV  RVM;
    VPSLLVQ            = P66 M38 0x47 V1 E1 FV  RVM;
    VPSRLVD            = P66 M38 0x45 V0 E0 FV  RVM;
    VPSRLVQ            = P66 M38 0x45 V1 E1 FV  RVM;
    VPSRAVD            = P66 M38 0x46 V0 E0 FV  RVM;
    VPSRAVQ            = P66 M38 0x46 V_ E1 FV  RVM;
    VPSLLVW            = P66 M38 0x12 V_ E1 FVM RVM;
    VPSRLVW            = P66 M38 0x10 V_ E1 FVM RVM;
    VPSRAVW            = P66 M38 0x11 V_ E1 FVM RVM;
    VPROLVD            = P66 M38 0x15 V_ E0 FV  RVM;
    VPROLVQ            = P66 M38 0x15 V_ E1 FV  RVM;
    VPRORVD            = P66 M38 0x14 V_ E0 FV  RVM;
    VPRORVQ            = P66 M38 0x14 V_ E1 FV  RVM;
    VPSHLDVW           = P66 M38 0x70 V_ E1 FVM RVM;
    VPSHLDVD           = P66 M38 0x71 V_ E0 FV  RVM;
    VPSHLDVQ           = P66 M38 0x71 V_ E1 FV  RVM;
    VPSHRDVW           = P66 M38 0x72 V_ E1 FVM RVM;
    VPSHRDVD           = P66 M38 0x73 V_ E0 FV  RVM;
    VPSHRDVQ           = P66 M38 0x73 V_ E1 FV  RVM;
    VPMULTISHIFTQB     = P66 M38 0x83 V_ E1 FV  RVM;
    VPSHLDW            = P66 M3A 0x70 V_ E1 FVM RVMI;
    VPSHLDD            = P66 M3A 0x71 V_ E0 FV  RVMI;
    VPSHLDQ            = P66 M3A 0x71 V_ E1 FV  RVMI;
    VPSHRDW            = P66 M3A 0x72 V_ E1 FVM RVMI;
    VPSHRDD            = P66 M3A 0x73 V_ E0 FV  RVMI;
    VPSHRDQ            = P66 M3A 0x73 V_ E1 FV  RVMI;

    // Packing, widening, narrowing
    VPACKSSWB          = P66 M0F 0x63 V0 E0 FVM RVM;
    VPACKUSWB          = P66 M0F 0x67 V0 E0 FVM RVM;
    VPACKSSDW          = P66 M0F 0x6b V0 E0 FV  RVM;
    VPACKUSDW          = P66 M38 0x2b V0 E0 FV  RVM;
    VPUNPCKLBW         = P66 M0F 0x60 V0 E0 FVM RVM;
    VPUNPCKLWD         = P66 M0F 0x61 V0 E0 FVM RVM;
    VPUNPCKHBW         = P66 M0F 0x68 V0 E0 FVM RVM;
    VPUNPCKHWD         = P66 M0F 0x69 V0 E0 FVM RVM;
    VPUNPCKLDQ         = P66 M0F 0x62 V0 E0 FV  RVM;
    VPUNPCKHDQ         = P66 M0F 0x6a V0 E0 FV  RVM;
    VPUNPCKLQDQ        = P66 M0F 0x6c V0 E1 FV  RVM;
    VPUNPCKHQDQ        = P66 M0F 0x6d V0 E1 FV  RVM;
    VUNPCKLPS          = NP  M0F 0x14 V0 E0 FV  RVM;
    VUNPCKHPS          = NP  M0F 0x15 V0 E0 FV  RVM;
    VUNPCKLPD          = P66 M0F 0x14 V0 E1 FV  RVM;
    VUNPCKHPD          = P66 M0F 0x15 V0 E1 FV  RVM;
    VPMOVSXBW          = P66 M38 0x20 V0 E0 HVM RM;
    VPMOVSXBD          = P66 M38 0x21 V0 E0 QVM RM;
    VPMOVSXBQ          = P66 M38 0x22 V0 E0 OVM RM;
    VPMOVSXWD          = P66 M38 0x23 V0 E0 HVM RM;
    VPMOVSXWQ          = P66 M38 0x24 V0 E0 QVM RM;
    VPMOVSXDQ          = P66 M38 0x25 V0 E0 HVM RM;
    VPMOVZXBW          = P66 M38 0x30 V0 E0 HVM RM;
    VPMOVZXBD          = P66 M38 0x31 V0 E0 QVM RM;
    VPMOVZXBQ          = P66 M38 0x32 V0 E0 OVM RM;
    VPMOVZXWD          = P66 M38 0x33 V0 E0 HVM RM;
    VPMOVZXWQ          = P66 M38 0x34 V0 E0 QVM RM;
    VPMOVZXDQ          = P66 M38 0x35 V0 E0 HVM RM;
    VPMOVWB_ST         = PF3 M38 0x30 V_ E0 HVM MR;
    VPMOVDB_ST         = PF3 M38 0x31 V_ E0 QVM MR;
    VPMOVQB_ST         = PF3 M38 0x32 V_ E0 OVM MR;
    VPMOVDW_ST         = PF3 M38 0x33 V_ E0 HVM MR;
    VPMOVQW_ST         = PF3 M38 0x34 V_ E0 QVM MR;
    VPMOVQD_ST         = PF3 M38 0x35 V_ E0 HVM MR;
    VPMOVSWB_ST        = PF3 M38 0x20 V_ E0 HVM MR;
    VPMOVSDB_ST        = PF3 M38 0x21 V_ E0 QVM MR;
    VPMOVSQB_ST        = PF3 M38 0x22 V_ E0 OVM MR;
    VPMOVSDW_ST        = PF3 M38 0x23 V_ E0 HVM MR;
    VPMOVSQW_ST        = PF3 M38 0x24 V_ E0 QVM MR;
    VPMOVSQD_ST        = PF3 M38 0x25 V_ E0 HVM MR;
    VPMOVUSWB_ST       = PF3 M38 0x10 V_ E0 HVM MR;
    VPMOVUSDB_ST       = PF3 M38 0x11 V_ E0 QVM MR;
    VPMOVUSQB_ST       = PF3 M38 0x12 V_ E0 OVM MR;
    VPMOVUSDW_ST       = PF3 M38 0x13 V_ E0 HVM MR;
    VPMOVUSQW_ST       = PF3 M38 0x14 V_ E0 QVM MR;
    VPMOVUSQD_ST       = PF3 M38 0x15 V_ E0 HVM MR;
    VPCOMPRESSB_ST     = P66 M38 0x63 V_ E0 T1  MR;
    VPCOMPRESSW_ST     = P66 M38 0x63 V_ E1 T2  MR;
    VPCOMPRESSD_ST     = P66 M38 0x8b V_ E0 T4  MR;
    VPCOMPRESSQ_ST     = P66 M38 0x8b V_ E1 T8  MR;
    VPEXPANDB          = P66 M38 0x62 V_ E0 T1  RM;
    VPEXPANDW          = P66 M38 0x62 V_ E1 T2  RM;
    VPEXPANDD          = P66 M38 0x89 V_ E0 T4  RM;
    VPEXPANDQ          = P66 M38 0x89 V_ E1 T8  RM;

    // Shuffles, permutations, broadcasts, blends
    VPSHUFB            = P66 M38 0x00 V0 E0 FVM RVM;
    VPSHUFD            = P66 M0F 0x70 V0 E0 FV  RMI;
    VPSHUFHW           = PF3 M0F 0x70 V0 E0 FVM RMI;
    VPSHUFLW           = PF2 M0F 0x70 V0 E0 FVM RMI;
    VSHUFPS            = NP  M0F 0xc6 V0 E0 FV  RVMI;
    VSHUFPD            = P66 M0F 0xc6 V0 E1 FV  RVMI;
    VPALIGNR           = P66 M3A 0x0f V0 E0 FVM RVMI;
    VALIGND            = P66 M3A 0x03 V_ E0 FV  RVMI;
    VALIGNQ            = P66 M3A 0x03 V_ E1 FV  RVMI;
    VPERMILPS          = P66 M38 0x0c V0 E0 FV  RVM;
    VPERMILPD          = P66 M38 0x0d V0 E1 FV  RVM;
    VPERMILPS_I        = P66 M3A 0x04 V0 E0 FV  RMI;
    VPERMILPD_I        = P66 M3A 0x05 V0 E1 FV  RMI;
    VPERMD             = P66 M38 0x36 V0 E0 FV  RVM;
    VPERMQ             = P66 M38 0x36 V_ E1 FV  RVM;
    VPERMPS            = P66 M38 0x16 V0 E0 FV  RVM;
    VPERMPD            = P66 M38 0x16 V_ E1 FV  RVM;
    VPERMQ_I           = P66 M3A 0x00 V1 E1 FV  RMI;
    VPERMPD_I          = P66 M3A 0x01 V1 E1 FV  RMI;
    VPERM2F128         = P66 M3A 0x06 V0 E_ FVM RVMI;
    VPERM2I128         = P66 M3A 0x46 V0 E_ FVM RVMI;
    VPERMB             = P66 M38 0x8d V_ E0 FVM RVM;
    VPERMW             = P66 M38 0x8d V_ E1 FVM RVM;
    VPERMI2B           = P66 M38 0x75 V_ E0 FVM RVM;
    VPERMI2W           = P66 M38 0x75 V_ E1 FVM RVM;
    VPERMI2D           = P66 M38 0x76 V_ E0 FV  RVM;
    VPERMI2Q           = P66 M38 0x76 V_ E1 FV  RVM;
    VPERMI2PS          = P66 M38 0x77 V_ E0 FV  RVM;
    VPERMI2PD          = P66 M38 0x77 V_ E1 FV  RVM;
    VPERMT2B           = P66 M38 0x7d V_ E0 FVM RVM;
    VPERMT2W           = P66 M38 0x7d V_ E1 FVM RVM;
    VPERMT2D           = P66 M38 0x7e V_ E0 FV  RVM;
    VPERMT2Q           = P66 M38 0x7e V_ E1 FV  RVM;
    VPERMT2PS          = P66 M38 0x7f V_ E0 FV  RVM;
    VPERMT2PD          = P66 M38 0x7f V_ E1 FV  RVM;
    VPBLENDMB          = P66 M38 0x66 V_ E0 FVM RVM;
    VPBLENDMW          = P66 M38 0x66 V_ E1 FVM RVM;
    VPBLENDMD          = P66 M38 0x64 V_ E0 FV  RVM;
    VPBLENDMQ          = P66 M38 0x64 V_ E1 FV  RVM;
    VBLENDMPS          = P66 M38 0x65 V_ E0 FV  RVM;
    VBLENDMPD          = P66 M38 0x65 V_ E1 FV  RVM;
    VSHUFF32X4         = P66 M3A 0x23 V_ E0 FV  RVMI;
    VSHUFF64X2         = P66 M3A 0x23 V_ E1 FV  RVMI;
    VSHUFI32X4         = P66 M3A 0x43 V_ E0 FV  RVMI;
    VSHUFI64X2         = P66 M3A 0x43 V_ E1 FV  RVMI;
    VBROADCASTSS       = P66 M38 0x18 V0 E0 T4  RM;
    VBROADCASTSD       = P66 M38 0x19 V0 E1 T8  RM;
    VBROADCASTF128     = P66 M38 0x1a V0 E0 T16 RM_M;
    VBROADCASTI128     = P66 M38 0x5a V0 E0 T16 RM_M;
    VPBROADCASTB       = P66 M38 0x78 V0 E0 T1  RM;
    VPBROADCASTW       = P66 M38 0x79 V0 E0 T2  RM;
    VPBROADCASTD       = P66 M38 0x58 V0 E0 T4  RM;
    VPBROADCASTQ       = P66 M38 0x59 V0 E1 T8  RM;
    VPBROADCASTB_G     = P66 M38 0x7a V_ E0 T1  RG;
    VPBROADCASTW_G     = P66 M38 0x7b V_ E0 T2  RG;
    VPBROADCASTD_G     = P66 M38 0x7c V_ E0 T4  RG;
    VPBROADCASTQ_G     = P66 M38 0x7c V_ E1 T8  RG;
    VPBLENDW           = P66 M3A 0x0e V0 E_ FVM RVMI;
    VPBLENDD           = P66 M3A 0x02 V0 E_ FVM RVMI;
    VBLENDPS           = P66 M3A 0x0c V0 E_ FVM RVMI;
    VBLENDPD           = P66 M3A 0x0d V0 E_ FVM RVMI;
    VPBLENDVB          = P66 M3A 0x4c V0 E_ FVM RVMR;
    VBLENDVPS          = P66 M3A 0x4a V0 E_ FVM RVMR;
    VBLENDVPD          = P66 M3A 0x4b V0 E_ FVM RVMR;

    // Inserts and extracts
    VPINSRB            = P66 M3A 0x20 V0 E0 T1  RVEI;
    VPINSRW            = P66 M0F 0xc4 V0 E0 T2  RVEI;
    VPINSRD            = P66 M3A 0x22 V0 E0 T4  RVEI;
    VPINSRQ            = P66 M3A 0x22 V1 E1 T8  RVEI;
    VPEXTRB_ST         = P66 M3A 0x14 V0 E0 T1  ERI;
    VPEXTRW_ST         = P66 M3A 0x15 V0 E0 T2  ERI;
    VPEXTRW            = P66 M0F 0xc5 V0 E0 T2  GXI;
    VPEXTRD_ST         = P66 M3A 0x16 V0 E0 T4  ERI;
    VPEXTRQ_ST         = P66 M3A 0x16 V1 E1 T8  ERI;
    VINSERTPS          = P66 M3A 0x21 V0 E0 T4  RVMI;
    VEXTRACTPS_ST      = P66 M3A 0x17 V0 E0 T4  ERI;
    VINSERTF128        = P66 M3A 0x18 V0 E0 T16 RVMI;
    VINSERTI128        = P66 M3A 0x38 V0 E0 T16 RVMI;
    VEXTRACTF128_ST    = P66 M3A 0x19 V0 E0 T16 MRI;
    VEXTRACTI128_ST    = P66 M3A 0x39 V0 E0 T16 MRI;
    VINSERTI64X2       = P66 M3A 0x38 V_ E1 T16 RVMI;
    VINSERTI64X4       = P66 M3A 0x3a V_ E1 T32 RVMI;
    VEXTRACTI64X2_ST   = P66 M3A 0x39 V_ E1 T16 MRI;
    VEXTRACTI64X4_ST   = P66 M3A 0x3b V_ E1 T32 MRI;

    // Floating point
    VADDPS             = NP  M0F 0x58 V0 E0 FV  RVM;
    VADDPD             = P66 M0F 0x58 V0 E1 FV  RVM;
    VADDSS             = PF3 M0F 0x58 V0 E0 T4  RVM;
    VADDSD             = PF2 M0F 0x58 V0 E1 T8  RVM;
    VMULPS             = NP  M0F 0x59 V0 E0 FV  RVM;
    VMULPD             = P66 M0F 0x59 V0 E1 FV  RVM;
    VMULSS             = PF3 M0F 0x59 V0 E0 T4  RVM;
    VMULSD             = PF2 M0F 0x59 V0 E1 T8  RVM;
    VSUBPS             = NP  M0F 0x5c V0 E0 FV  RVM;
    VSUBPD             = P66 M0F 0x5c V0 E1 FV  RVM;
    VSUBSS             = PF3 M0F 0x5c V0 E0 T4  RVM;
    VSUBSD             = PF2 M0F 0x5c V0 E1 T8  RVM;
    VMINPS             = NP  M0F 0x5d V0 E0 FV  RVM;
    VMINPD             = P66 M0F 0x5d V0 E1 FV  RVM;
    VMINSS             = PF3 M0F 0x5d V0 E0 T4  RVM;
    VMINSD             = PF2 M0F 0x5d V0 E1 T8  RVM;
    VDIVPS             = NP  M0F 0x5e V0 E0 FV  RVM;
    VDIVPD             = P66 M0F 0x5e V0 E1 FV  RVM;
    VDIVSS             = PF3 M0F 0x5e V0 E0 T4  RVM;
    VDIVSD             = PF2 M0F 0x5e V0 E1 T8  RVM;
    VMAXPS             = NP  M0F 0x5f V0 E0 FV  RVM;
    VMAXPD             = P66 M0F 0x5f V0 E1 FV  RVM;
    VMAXSS             = PF3 M0F 0x5f V0 E0 T4  RVM;
    VMAXSD             = PF2 M0F 0x5f V0 E1 T8  RVM;
    VSQRTPS            = NP  M0F 0x51 V0 E0 FV  RM;
    VSQRTPD            = P66 M0F 0x51 V0 E1 FV  RM;
    VSQRTSS            = PF3 M0F 0x51 V0 E0 T4  RVM;
    VSQRTSD            = PF2 M0F 0x51 V0 E1 T8  RVM;
    VRSQRTPS           = NP  M0F 0x52 V0 E_ FVM RM;
    VRSQRTSS           = PF3 M0F 0x52 V0 E_ FVM RVM;
    VRCPPS             = NP  M0F 0x53 V0 E_ FVM RM;
    VRCPSS             = PF3 M0F 0x53 V0 E_ FVM RVM;
    VCMPPS             = NP  M0F 0xc2 V0 E_ FVM RVMI;
    VCMPPD             = P66 M0F 0xc2 V0 E_ FVM RVMI;
    VCMPSS             = PF3 M0F 0xc2 V0 E_ FVM RVMI;
    VCMPSD             = PF2 M0F 0xc2 V0 E_ FVM RVMI;
    VCMPPS_K           = NP  M0F 0xc2 V_ E0 FV  KVMI;
    VCMPPD_K           = P66 M0F 0xc2 V_ E1 FV  KVMI;
    VCMPSS_K           = PF3 M0F 0xc2 V_ E0 T4  KVMI;
    VCMPSD_K           = PF2 M0F 0xc2 V_ E1 T8  KVMI;
    VUCOMISS           = NP  M0F 0x2e V0 E0 T4  RM;
    VUCOMISD           = P66 M0F 0x2e V0 E1 T8  RM;
    VCOMISS            = NP  M0F 0x2f V0 E0 T4  RM;
    VCOMISD            = P66 M0F 0x2f V0 E1 T8  RM;
    VROUNDPS           = P66 M3A 0x08 V0 E0 FV  RMI;
    VROUNDPD           = P66 M3A 0x09 V0 E1 FV  RMI;
    VROUNDSS           = P66 M3A 0x0a V0 E0 T4  RVMI;
    VROUNDSD           = P66 M3A 0x0b V0 E1 T8  RVMI;
    VREDUCEPS          = P66 M3A 0x56 V_ E0 FV  RMI;
    VREDUCEPD          = P66 M3A 0x56 V_ E1 FV  RMI;
    VREDUCESS          = P66 M3A 0x57 V_ E0 T4  RVMI;
    VREDUCESD          = P66 M3A 0x57 V_ E1 T8  RVMI;
    VRANGEPS           = P66 M3A 0x50 V_ E0 FV  RVMI;
    VRANGEPD           = P66 M3A 0x50 V_ E1 FV  RVMI;
    VRANGESS           = P66 M3A 0x51 V_ E0 T4  RVMI;
    VRANGESD           = P66 M3A 0x51 V_ E1 T8  RVMI;
    VFIXUPIMMPS        = P66 M3A 0x54 V_ E0 FV  RVMI;
    VFIXUPIMMPD        = P66 M3A 0x54 V_ E1 FV  RVMI;
    VFIXUPIMMSS        = P66 M3A 0x55 V_ E0 T4  RVMI;
    VFIXUPIMMSD        = P66 M3A 0x55 V_ E1 T8  RVMI;
    VFPCLASSPS         = P66 M3A 0x66 V_ E0 FV  KMI;
    VFPCLASSPD         = P66 M3A 0x66 V_ E1 FV  KMI;
    VFPCLASSSS         = P66 M3A 0x67 V_ E0 T4  KMI;
    VFPCLASSSD         = P66 M3A 0x67 V_ E1 T8  KMI;
    VSCALEFPS          = P66 M38 0x2c V_ E0 FV  RVM;
    VSCALEFPD          = P66 M38 0x2c V_ E1 FV  RVM;
    VSCALEFSS          = P66 M38 0x2d V_ E0 T4  RVM;
    VSCALEFSD          = P66 M38 0x2d V_ E1 T8  RVM;
    VGETEXPPS          = P66 M38 0x42 V_ E0 FV  RM;
    VGETEXPPD          = P66 M38 0x42 V_ E1 FV  RM;
    VGETEXPSS          = P66 M38 0x43 V_ E0 T4  RVM;
    VGETEXPSD          = P66 M38 0x43 V_ E1 T8  RVM;
    VGETMANTPS         = P66 M3A 0x26 V_ E0 FV  RMI;
    VGETMANTPD         = P66 M3A 0x26 V_ E1 FV  RMI;
    VGETMANTSS         = P66 M3A 0x27 V_ E0 T4  RVMI;
    VGETMANTSD         = P66 M3A 0x27 V_ E1 T8  RVMI;
    VHADDPS            = PF2 M0F 0x7c V0 E_ FVM RVM;
    VHADDPD            = P66 M0F 0x7c V0 E_ FVM RVM;
    VHSUBPS            = PF2 M0F 0x7d V0 E_ FVM RVM;
    VHSUBPD            = P66 M0F 0x7d V0 E_ FVM RVM;
    VADDSUBPS          = PF2 M0F 0xd0 V0 E_ FVM RVM;
    VADDSUBPD          = P66 M0F 0xd0 V0 E_ FVM RVM;
    VDPPS              = P66 M3A 0x40 V0 E_ FVM RVMI;
    VDPPD              = P66 M3A 0x41 V0 E_ FVM RVMI;

    // Fused multiply-add
    VFMADDSUB132PS     = P66 M38 0x96 V0 E0 FV  RVM;
    VFMADDSUB132PD     = P66 M38 0x96 V1 E1 FV  RVM;
    VFMSUBADD132PS     = P66 M38 0x97 V0 E0 FV  RVM;
    VFMSUBADD132PD     = P66 M38 0x97 V1 E1 FV  RVM;
    VFMADD132PS        = P66 M38 0x98 V0 E0 FV  RVM;
    VFMADD132PD        = P66 M38 0x98 V1 E1 FV  RVM;
    VFMADD132SS        = P66 M38 0x99 V0 E0 T4  RVM;
    VFMADD132SD        = P66 M38 0x99 V1 E1 T8  RVM;
    VFMSUB132PS        = P66 M38 0x9a V0 E0 FV  RVM;
    VFMSUB132PD        = P66 M38 0x9a V1 E1 FV  RVM;
    VFMSUB132SS        = P66 M38 0x9b V0 E0 T4  RVM;
    VFMSUB132SD        = P66 M38 0x9b V1 E1 T8  RVM;
    VFNMADD132PS       = P66 M38 0x9c V0 E0 FV  RVM;
    VFNMADD132PD       = P66 M38 0x9c V1 E1 FV  RVM;
    VFNMADD132SS       = P66 M38 0x9d V0 E0 T4  RVM;
    VFNMADD132SD       = P66 M38 0x9d V1 E1 T8  RVM;
    VFNMSUB132PS       = P66 M38 0x9e V0 E0 FV  RVM;
    VFNMSUB132PD       = P66 M38 0x9e V1 E1 FV  RVM;
    VFNMSUB132SS       = P66 M38 0x9f V0 E0 T4  RVM;
    VFNMSUB132SD       = P66 M38 0x9f V1 E1 T8  RVM;
    VFMADDSUB213PS     = P66 M38 0xa6 V0 E0 FV  RVM;
    VFMADDSUB213PD     = P66 M38 0xa6 V1 E1 FV  RVM;
    VFMSUBADD213PS     = P66 M38 0xa7 V0 E0 FV  RVM;
    VFMSUBADD213PD     = P66 M38 0xa7 V1 E1 FV  RVM;
    VFMADD213PS        = P66 M38 0xa8 V0 E0 FV  RVM;
    VFMADD213PD        = P66 M38 0xa8 V1 E1 FV  RVM;
    VFMADD213SS        = P66 M38 0xa9 V0 E0 T4  RVM;
    VFMADD213SD        = P66 M38 0xa9 V1 E1 T8  RVM;
    VFMSUB213PS        = P66 M38 0xaa V0 E0 FV  RVM;
    VFMSUB213PD        = P66 M38 0xaa V1 E1 FV  RVM;
    VFMSUB213SS        = P66 M38 0xab V0 E0 T4  RVM;
    VFMSUB213SD        = P66 M38 0xab V1 E1 T8  RVM;
    VFNMADD213PS       = P66 M38 0xac V0 E0 FV  RVM;
    VFNMADD213PD       = P66 M38 0xac V1 E1 FV  RVM;
    VFNMADD213SS       = P66 M38 0xad V0 E0 T4  RVM;
    VFNMADD213SD       = P66 M38 0xad V1 E1 T8  RVM;
    VFNMSUB213PS       = P66 M38 0xae V0 E0 FV  RVM;
    VFNMSUB213PD       = P66 M38 0xae V1 E1 FV  RVM;
    VFNMSUB213SS       = P66 M38 0xaf V0 E0 T4  RVM;
    VFNMSUB213SD       = P66 M38 0xaf V1 E1 T8  RVM;
    VFMADDSUB231PS     = P66 M38 0xb6 V0 E0 FV  RVM;
    VFMADDSUB231PD     = P66 M38 0xb6 V1 E1 FV  RVM;
    VFMSUBADD231PS     = P66 M38 0xb7 V0 E0 FV  RVM;
    VFMSUBADD231PD     = P66 M38 0xb7 V1 E1 FV  RVM;
    VFMADD231PS        = P66 M38 0xb8 V0 E0 FV  RVM;
    VFMADD231PD        = P66 M38 0xb8 V1 E1 FV  RVM;
    VFMADD231SS        = P66 M38 0xb9 V0 E0 T4  RVM;
    VFMADD231SD        = P66 M38 0xb9 V1 E1 T8  RVM;
    VFMSUB231PS        = P66 M38 0xba V0 E0 FV  RVM;
    VFMSUB231PD        = P66 M38 0xba V1 E1 FV  RVM;
    VFMSUB231SS        = P66 M38 0xbb V0 E0 T4  RVM;
    VFMSUB231SD        = P66 M38 0xbb V1 E1 T8  RVM;
    VFNMADD231PS       = P66 M38 0xbc V0 E0 FV  RVM;
    VFNMADD231PD       = P66 M38 0xbc V1 E1 FV  RVM;
    VFNMADD231SS       = P66 M38 0xbd V0 E0 T4  RVM;
    VFNMADD231SD       = P66 M38 0xbd V1 E1 T8  RVM;
    VFNMSUB231PS       = P66 M38 0xbe V0 E0 FV  RVM;
    VFNMSUB231PD       = P66 M38 0xbe V1 E1 FV  RVM;
    VFNMSUB231SS       = P66 M38 0xbf V0 E0 T4  RVM;
    VFNMSUB231SD       = P66 M38 0xbf V1 E1 T8  RVM;

    // Conversions
    VCVTDQ2PS          = NP  M0F 0x5b V0 E0 FV  RM;
    VCVTPS2DQ          = P66 M0F 0x5b V0 E0 FV  RM;
    VCVTTPS2DQ         = PF3 M0F 0x5b V0 E0 FV  RM;
    VCVTDQ2PD          = PF3 M0F 0xe6 V0 E0 HV  RM;
    VCVTPD2DQ          = PF2 M0F 0xe6 V0 E1 FV  RM;
    VCVTTPD2DQ         = P66 M0F 0xe6 V0 E1 FV  RM;
    VCVTPS2PD          = NP  M0F 0x5a V0 E0 HV  RM;
    VCVTPD2PS          = P66 M0F 0x5a V0 E1 FV  RM;
    VCVTSS2SD          = PF3 M0F 0x5a V0 E0 T4  RVM;
    VCVTSD2SS          = PF2 M0F 0x5a V0 E1 T8  RVM;
    VCVTSI2SS_D        = PF3 M0F 0x2a V0 E0 T4  RVE;
    VCVTSI2SS_Q        = PF3 M0F 0x2a V1 E1 T8  RVE;
    VCVTSI2SD_D        = PF2 M0F 0x2a V0 E0 T4  RVE;
    VCVTSI2SD_Q        = PF2 M0F 0x2a V1 E1 T8  RVE;
    VCVTSS2SI_D        = PF3 M0F 0x2d V0 E0 T4  GM;
    VCVTSS2SI_Q        = PF3 M0F 0x2d V1 E1 T4  GM;
    VCVTTSS2SI_D       = PF3 M0F 0x2c V0 E0 T4  GM;
    VCVTTSS2SI_Q       = PF3 M0F 0x2c V1 E1 T4  GM;
    VCVTSD2SI_D        = PF2 M0F 0x2d V0 E0 T8  GM;
    VCVTSD2SI_Q        = PF2 M0F 0x2d V1 E1 T8  GM;
    VCVTTSD2SI_D       = PF2 M0F 0x2c V0 E0 T8  GM;
    VCVTTSD2SI_Q       = PF2 M0F 0x2c V1 E1 T8  GM;
    VCVTPH2PS          = P66 M38 0x13 V0 E0 HVM RM;
    VCVTPS2PH_ST       = P66 M3A 0x1d V0 E0 HVM MRI;
    VCVTUDQ2PS         = PF2 M0F 0x7a V_ E0 FV  RM;
    VCVTUDQ2PD         = PF3 M0F 0x7a V_ E0 HV  RM;
    VCVTPS2UDQ         = NP  M0F 0x79 V_ E0 FV  RM;
    VCVTPD2UDQ         = NP  M0F 0x79 V_ E1 FV  RM;
    VCVTTPS2UDQ        = NP  M0F 0x78 V_ E0 FV  RM;
    VCVTTPD2UDQ        = NP  M0F 0x78 V_ E1 FV  RM;
    VCVTQQ2PD          = PF3 M0F 0xe6 V_ E1 FV  RM;
    VCVTQQ2PS          = NP  M0F 0x5b V_ E1 FV  RM;
    VCVTUQQ2PD         = PF3 M0F 0x7a V_ E1 FV  RM;
    VCVTUQQ2PS         = PF2 M0F 0x7a V_ E1 FV  RM;
    VCVTPD2QQ          = P66 M0F 0x7b V_ E1 FV  RM;
    VCVTTPD2QQ         = P66 M0F 0x7a V_ E1 FV  RM;
    VCVTPD2UQQ         = P66 M0F 0x79 V_ E1 FV  RM;
    VCVTTPD2UQQ        = P66 M0F 0x78 V_ E1 FV  RM;
    VCVTPS2QQ          = P66 M0F 0x7b V_ E0 HV  RM;
    VCVTTPS2QQ         = P66 M0F 0x7a V_ E0 HV  RM;
    VCVTPS2UQQ         = P66 M0F 0x79 V_ E0 HV  RM;
    VCVTTPS2UQQ        = P66 M0F 0x78 V_ E0 HV  RM;
    VCVTSS2USI_D       = PF3 M0F 0x79 V_ E0 T4  GM;
    VCVTSS2USI_Q       = PF3 M0F 0x79 V_ E1 T4  GM;
    VCVTTSS2USI_D      = PF3 M0F 0x78 V_ E0 T4  GM;
    VCVTTSS2USI_Q      = PF3 M0F 0x78 V_ E1 T4  GM;
    VCVTUSI2SS_D       = PF3 M0F 0x7b V_ E0 T4  RVE;
    VCVTUSI2SS_Q       = PF3 M0F 0x7b V_ E1 T8  RVE;
    VCVTSD2USI_D       = PF2 M0F 0x79 V_ E0 T8  GM;
    VCVTSD2USI_Q       = PF2 M0F 0x79 V_ E1 T8  GM;
    VCVTTSD2USI_D      = PF2 M0F 0x78 V_ E0 T8  GM;
    VCVTTSD2USI_Q      = PF2 M0F 0x78 V_ E1 T8  GM;
    VCVTUSI2SD_D       = PF2 M0F 0x7b V_ E0 T4  RVE;
    VCVTUSI2SD_Q       = PF2 M0F 0x7b V_ E1 T8  RVE;
    VCVTNE2PS2BF16     = PF2 M38 0x72 V_ E0 FV  RVM;
    VCVTNEPS2BF16      = PF3 M38 0x72 V_ E0 FV  RM;
    VDPBF16PS          = PF3 M38 0x52 V_ E0 FV  RVM;

    // AES, carry-less multiplication, Galois field
    VAESENC            = P66 M38 0xdc V0 E0 FVM RVM;
    VAESENCLAST        = P66 M38 0xdd V0 E0 FVM RVM;
    VAESDEC            = P66 M38 0xde V0 E0 FVM RVM;
    VAESDECLAST        = P66 M38 0xdf V0 E0 FVM RVM;
    VAESIMC            = P66 M38 0xdb V0 E_ FVM RM;
    VAESKEYGENASSIST   = P66 M3A 0xdf V0 E_ FVM RMI;
    VPCMPESTRM         = P66 M3A 0x60 V0 E_ FVM RMI;
    VPCMPESTRI         = P66 M3A 0x61 V0 E_ FVM RMI;
    VPCMPISTRM         = P66 M3A 0x62 V0 E_ FVM RMI;
    VPCMPISTRI         = P66 M3A 0x63 V0 E_ FVM RMI;
    VPCLMULQDQ         = P66 M3A 0x44 V0 E0 FVM RVMI;
    VGF2P8AFFINEQB     = P66 M3A 0xce V1 E1 FV  RVMI;
    VGF2P8AFFINEINVQB  = P66 M3A 0xcf V1 E1 FV  RVMI;
    VGF2P8MULB         = P66 M38 0xcf V0 E0 FVM RVM;

    // Mask registers
    VPMOVM2B           = PF3 M38 0x28 V_ E0 FVM RK;
    VPMOVM2W           = PF3 M38 0x28 V_ E1 FVM RK;
    VPMOVM2D           = PF3 M38 0x38 V_ E0 FVM RK;
    VPMOVM2Q           = PF3 M38 0x38 V_ E1 FVM RK;
    VPMOVB2M           = PF3 M38 0x29 V_ E0 FVM KX;
    VPMOVW2M           = PF3 M38 0x29 V_ E1 FVM KX;
    VPMOVD2M           = PF3 M38 0x39 V_ E0 FVM KX;
    VPMOVQ2M           = PF3 M38 0x39 V_ E1 FVM KX;
    KMOVB              = P66 M0F 0x90 V0 E_ KL0 KK;
    KMOVB_ST           = P66 M0F 0x91 V0 E_ KL0 MK;
    KMOVW              = NP  M0F 0x90 V0 E_ KL0 KK;
    KMOVW_ST           = NP  M0F 0x91 V0 E_ KL0 MK;
    KMOVD              = P66 M0F 0x90 V1 E_ KL0 KK;
    KMOVD_ST           = P66 M0F 0x91 V1 E_ KL0 MK;
    KMOVQ              = NP  M0F 0x90 V1 E_ KL0 KK;
    KMOVQ_ST           = NP  M0F 0x91 V1 E_ KL0 MK;
    KMOVB_G            = P66 M0F 0x92 V0 E_ KL0 KG;
    KMOVB_TOG          = P66 M0F 0x93 V0 E_ KL0 GK;
    KMOVW_G            = NP  M0F 0x92 V0 E_ KL0 KG;
    KMOVW_TOG          = NP  M0F 0x93 V0 E_ KL0 GK;
    KMOVD_G            = PF2 M0F 0x92 V0 E_ KL0 KG;
    KMOVD_TOG          = PF2 M0F 0x93 V0 E_ KL0 GK;
    KMOVQ_G            = PF2 M0F 0x92 V1 E_ KL0 KG;
    KMOVQ_TOG          = PF2 M0F 0x93 V1 E_ KL0 GK;
    KANDB              = P66 M0F 0x41 V0 E_ KL1 KVK;
    KANDW              = NP  M0F 0x41 V0 E_ KL1 KVK;
    KANDD              = P66 M0F 0x41 V1 E_ KL1 KVK;
    KANDQ              = NP  M0F 0x41 V1 E_ KL1 KVK;
    KANDNB             = P66 M0F 0x42 V0 E_ KL1 KVK;
    KANDNW             = NP  M0F 0x42 V0 E_ KL1 KVK;
    KANDND             = P66 M0F 0x42 V1 E_ KL1 KVK;
    KANDNQ             = NP  M0F 0x42 V1 E_ KL1 KVK;
    KORB               = P66 M0F 0x45 V0 E_ KL1 KVK;
    KORW               = NP  M0F 0x45 V0 E_ KL1 KVK;
    KORD               = P66 M0F 0x45 V1 E_ KL1 KVK;
    KORQ               = NP  M0F 0x45 V1 E_ KL1 KVK;
    KXNORB             = P66 M0F 0x46 V0 E_ KL1 KVK;
    KXNORW             = NP  M0F 0x46 V0 E_ KL1 KVK;
    KXNORD             = P66 M0F 0x46 V1 E_ KL1 KVK;
    KXNORQ             = NP  M0F 0x46 V1 E_ KL1 KVK;
    KXORB              = P66 M0F 0x47 V0 E_ KL1 KVK;
    KXORW              = NP  M0F 0x47 V0 E_ KL1 KVK;
    KXORD              = P66 M0F 0x47 V1 E_ KL1 KVK;
    KXORQ              = NP  M0F 0x47 V1 E_ KL1 KVK;
    KADDB              = P66 M0F 0x4a V0 E_ KL1 KVK;
    KADDW              = NP  M0F 0x4a V0 E_ KL1 KVK;
    KADDD              = P66 M0F 0x4a V1 E_ KL1 KVK;
    KADDQ              = NP  M0F 0x4a V1 E_ KL1 KVK;
    KUNPCKBW           = P66 M0F 0x4b V0 E_ KL1 KVK;
    KUNPCKWD           = NP  M0F 0x4b V0 E_ KL1 KVK;
    KUNPCKDQ           = NP  M0F 0x4b V1 E_ KL1 KVK;
    KNOTB              = P66 M0F 0x44 V0 E_ KL0 KKR;
    KNOTW              = NP  M0F 0x44 V0 E_ KL0 KKR;
    KNOTD              = P66 M0F 0x44 V1 E_ KL0 KKR;
    KNOTQ              = NP  M0F 0x44 V1 E_ KL0 KKR;
    KORTESTB           = P66 M0F 0x98 V0 E_ KL0 KKR;
    KORTESTW           = NP  M0F 0x98 V0 E_ KL0 KKR;
    KORTESTD           = P66 M0F 0x98 V1 E_ KL0 KKR;
    KORTESTQ           = NP  M0F 0x98 V1 E_ KL0 KKR;
    KTESTB             = P66 M0F 0x99 V0 E_ KL0 KKR;
    KTESTW             = NP  M0F 0x99 V0 E_ KL0 KKR;
    KTESTD             = P66 M0F 0x99 V1 E_ KL0 KKR;
    KTESTQ             = NP  M0F 0x99 V1 E_ KL0 KKR;
    KSHIFTRB           = P66 M3A 0x30 V0 E_ KL0 KKI;
    KSHIFTRW           = P66 M3A 0x30 V1 E_ KL0 KKI;
    KSHIFTRD           = P66 M3A 0x31 V0 E_ KL0 KKI;
    KSHIFTRQ           = P66 M3A 0x31 V1 E_ KL0 KKI;
    KSHIFTLB           = P66 M3A 0x32 V0 E_ KL0 KKI;
    KSHIFTLW           = P66 M3A 0x32 V1 E_ KL0 KKI;
    KSHIFTLD           = P66 M3A 0x33 V0 E_ KL0 KKI;
    KSHIFTLQ           = P66 M3A 0x33 V1 E_ KL0 KKI;
}
