//! Times whole programs from a foreign root beside the host's own of the same name and beside the reference emulator, in one run.
//!
//! ```text
//! cargo bench --bench programs -- --root DIR [--guest aarch64] [--runs 5] [--rqemu PROGRAM,...] [--reference PROGRAM] [NAME...]
//! ```
//!
//! DIR is a Debian root as `tests/setup root` makes it. Each measurement has namespaces of its own: the root under an overlay, the
//! interpreter registered with binfmt_misc, one folder for translations, the dynamic linker's cache made as packages' scripts do. *cold* begins with an empty folder, *warm* with what two runs have left. Ways
//! take turns, medians count. Times are the processor's, user's and system's: other programs disturb them little. Several programs for `--rqemu` are for a comparison of builds. What the host or the root lacks is left out, and named.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program: its name, what it needs, the command for `sh -c`, and the slowdown wanted of it, warm and cold.
struct Row {
    name: &'static str,
    needs: &'static str,
    command: &'static str,
    warm: f64,
    cold: Option<f64>,
}

const ROWS: &[Row] = &[
    Row {
        name: "true",
        needs: "dash",
        command: "i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i+1)); done",
        warm: 3.0,
        cold: None,
    },
    Row { name: "compile", needs: "gcc", command: "gcc -O2 -c functions.c -o /dev/null", warm: 3.0, cold: Some(5.0) },
    Row { name: "link", needs: "gcc", command: "gcc hello.c -o $OUT && $OUT", warm: 3.0, cold: None },
    Row { name: "python", needs: "python3", command: "/usr/bin/python3 script.py", warm: 2.5, cold: None },
    Row { name: "perl", needs: "perl", command: "/usr/bin/perl script.pl", warm: 2.0, cold: None },
    Row { name: "7zz", needs: "7zz", command: "7zz b -mmt1 -md18", warm: 1.8, cold: None },
    Row {
        name: "sha256",
        needs: "openssl",
        command: "head -c 300000000 /dev/zero | openssl dgst -sha256",
        warm: 1.5,
        cold: None,
    },
    Row {
        name: "aes-128-gcm",
        needs: "openssl",
        command: "openssl speed -seconds 1 -bytes 16384 -evp aes-128-gcm",
        warm: 1.5,
        cold: None,
    },
    Row {
        name: "sha256-speed",
        needs: "openssl",
        command: "openssl speed -seconds 1 -bytes 16384 -evp sha256",
        warm: 1.5,
        cold: None,
    },
];

/// A file's name, and what it holds.
type File = (&'static str, fn() -> String);

/// What the programs read.
const FILES: &[File] = &[
    ("functions.c", functions),
    ("hello.c", || "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n".into()),
    ("script.py", || PYTHON.into()),
    ("script.pl", || PERL.into()),
];

fn functions() -> String {
    let one = |n: usize| {
        format!(
            "struct s{n} {{ int a[{size}]; double d; struct s{n} *next; }};
             double f{n}(struct s{n} *p, int n) {{
                 double sum = p->d; int i;
                 for (i = 0; i < n; i++) {{
                     if (p->a[i % {size}] > {n}) sum += p->a[(i * {n}) % {size}] * 1.5; else sum -= i / {odd};
                     switch (i & 7) {{ case 0: sum *= 2; break; case 3: p = p->next ? p->next : p; break; case 5: p->a[i % {size}] ^= i; }}
                 }}
                 return sum;
             }}\n",
            size = n % 13 + 3,
            odd = 2 * n + 1,
        )
    };
    (0..200).map(one).collect()
}

const PYTHON: &str = "
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
words = {}
for i in range(200000):
    word = 'w%d' % (i * 7919 % 5003)
    words[word] = words.get(word, 0) + len(word)
text = ' '.join(sorted(words, key=lambda w: (words[w], w)))
print(fib(24), sum(words.values()), len(text.replace('w', 'xyz').split('1')), text.upper().count('W9'))
";

const PERL: &str = "
my (%h, @l);
for my $i (1 .. 300000) { my $k = 'k' . ($i * 7919 % 20011); $h{$k} += $i; push @l, $i * 31 % 10007 if $i % 3 == 0; }
my @s = sort { $h{$a} <=> $h{$b} || $a cmp $b } keys %h;
my @t = sort { $a <=> $b } @l;
print scalar(@s), ' ', $s[0], ' ', $t[-1], ' ', join('', @s[0 .. 9]) =~ tr/k//, \"\\n\";
";

/// Who runs a program.
#[derive(Clone)]
struct Way {
    name: String,
    /// The interpreter; the host's own programs need none.
    interpreter: Option<PathBuf>,
    /// With an empty folder of translations.
    cold: bool,
}

struct Options {
    root: PathBuf,
    guest: String,
    runs: usize,
    rqemu: Vec<PathBuf>,
    reference: Option<PathBuf>,
    rows: Vec<String>,
}

fn options() -> Option<Options> {
    let rqemu = vec![env!("CARGO_BIN_EXE_rqemu").into()];
    let mut o =
        Options { root: PathBuf::new(), guest: "aarch64".into(), runs: 5, rqemu, reference: None, rows: vec![] };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => {}
            "--root" => o.root = arguments.next()?.into(),
            "--guest" => o.guest = arguments.next()?,
            "--runs" => o.runs = arguments.next()?.parse().ok()?,
            "--rqemu" => o.rqemu = arguments.next()?.split(',').map(PathBuf::from).collect(),
            "--reference" => o.reference = Some(arguments.next()?.into()),
            name => o.rows.push(name.to_owned()),
        }
    }
    o.root.is_dir().then_some(o)
}

/// Seconds of processor time of one run, its children's with it; nothing if it does not end well.
fn measure(o: &Options, work: &Path, row: &Row, way: &Way) -> Option<f64> {
    let cache = work.join(format!("cache-{}", way.name));
    let script = match &way.interpreter {
        None => "cd $WORK; run() { sh -c \"$COMMAND\"; }".to_owned(),
        Some(program) => format!(
            "mount -t tmpfs none $WORK/space; cd $WORK/space; mkdir upper work root
             mount -t overlay -o lowerdir={root},upperdir=$PWD/upper,workdir=$PWD/work none root
             mount --rbind /dev root/dev; mount --rbind /proc root/proc; mount --rbind $WORK root/mnt
             mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
             printf ':bench%s%s:F' \"$(sed -n 's/^:[^:]*\\(:M.*:\\)[^:]*:[^:]*$/\\1/p' $CONF)\" {program} > /proc/sys/fs/binfmt_misc/register
             unshare --root=root ldconfig
             run() {{ unshare --root=root --wd=/mnt /bin/sh -c \"$COMMAND\"; }}",
            root = o.root.display(),
            program = program.display(),
        ),
    };
    let clear =
        if way.cold { "rm -rf $FOLDER" } else { "run >/dev/null 2>&1 </dev/null; run >/dev/null 2>&1 </dev/null" };
    let script = format!(
        "{script}\n{clear}\ntimes; run >$WORK/out 2>&1 </dev/null; e=$?; times; [ $e = 0 ] || cat $WORK/out >&2; echo $e"
    );
    let inside = way.interpreter.is_some();
    let at = |path: &str| if inside { format!("/mnt/{path}") } else { work.join(path).display().to_string() };
    let conf = Path::new(env!("CARGO_MANIFEST_DIR")).join("binfmt").join(format!("{}.conf", o.guest));
    let done = Command::new("unshare")
        .args(["-Urm", "sh", "-ec", &script])
        .env("WORK", work)
        .env("CONF", conf)
        .env("COMMAND", row.command)
        .env("OUT", at("program"))
        .env("FOLDER", &cache)
        .env("RQEMU_CACHE", at(&cache.file_name()?.to_string_lossy()))
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .output()
        .ok()?;
    let out = String::from_utf8_lossy(&done.stdout);
    let _ = std::io::stderr().write_all(&done.stderr);
    let seconds = match &out.lines().collect::<Vec<_>>()[..] {
        [_, before, _, after, "0"] => processor_time(after)? - processor_time(before)?,
        _ => return None,
    };
    let said = fs::read_to_string(work.join("out")).unwrap_or_default();
    Some(per_byte(&said).unwrap_or(seconds))
}

/// The sum of a line of the shell's `times`: minutes and seconds, user's and system's.
fn processor_time(line: &str) -> Option<f64> {
    let one = |word: &str| {
        let (minutes, seconds) = word.strip_suffix('s')?.split_once('m')?;
        Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
    };
    line.split_whitespace().map(one).sum()
}

/// `openssl speed` runs for a second and says how much it has done: seconds for a gigabyte.
fn per_byte(said: &str) -> Option<f64> {
    let line = said.lines().find(|l| l.ends_with('k') && l.split_whitespace().count() == 2)?;
    let thousands: f64 = line.split_whitespace().last()?.strip_suffix('k')?.parse().ok()?;
    Some(1e6 / thousands)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() {
    let Some(o) = options() else {
        let _ = writeln!(std::io::stderr(), "usage: cargo bench --bench programs -- --root DIR [options] [NAME...]");
        std::process::exit(1);
    };
    let mut out = std::io::stdout();
    let work = std::env::temp_dir().join(format!("rqemu-programs-{}", std::process::id()));
    fs::create_dir_all(work.join("space")).expect("a folder");
    for (name, text) in FILES {
        fs::write(work.join(name), text()).expect("a file");
    }
    for row in ROWS.iter().filter(|r| o.rows.is_empty() || o.rows.iter().any(|n| n == r.name)) {
        let there = |root: &Path| ["bin", "usr/bin"].iter().any(|dir| root.join(dir).join(row.needs).exists());
        if !there(&o.root) || !there(Path::new("/")) {
            let _ = writeln!(out, "{:<13} left out: no {} in the root, or on the host", row.name, row.needs);
            continue;
        }
        let mut ways = vec![Way { name: "native".into(), interpreter: None, cold: false }];
        ways.extend(o.reference.iter().map(|r| Way {
            name: "reference".into(),
            interpreter: Some(r.clone()),
            cold: true,
        }));
        for (n, program) in o.rqemu.iter().enumerate() {
            for cold in [false, true] {
                let name = format!("{}{n}", if cold { "cold" } else { "warm" });
                ways.push(Way { name, interpreter: Some(program.clone()), cold });
            }
        }
        let mut times = vec![Vec::new(); ways.len()];
        for _ in 0..o.runs {
            for (way, times) in ways.iter().zip(&mut times) {
                times.push(measure(&o, &work, row, way).unwrap_or(f64::NAN));
            }
        }
        let times: Vec<f64> = times.into_iter().map(median).collect();
        let _ = write!(out, "{:<13} native {:.3}s", row.name, times[0]);
        for (way, time) in ways.iter().zip(&times).skip(1) {
            let _ = write!(out, "  {} {:.2}", way.name, time / times[0]);
        }
        let cold = row.cold.map_or(String::new(), |c| format!(", cold {c}"));
        let _ = writeln!(out, "  (wanted: warm {}{cold})", row.warm);
    }
    let _ = fs::remove_dir_all(&work);
}
