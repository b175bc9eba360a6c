//! What can be typed. Help, completions and man pages are made of this.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser, ValueHint};
use clap::{ArgGroup, Args, Parser, Subcommand};
use madang::{Deadline, Kind};

const ABOUT: &str =
    "Queues and segments in shared memory: what there is, what is wrong, messages to and from the shell";

/// A part of the long help, and of the man page: a heading, and lines that stay as they are.
pub(crate) type Section = (&'static str, &'static str);

const STATUS: Section = (
    "EXIT STATUS",
    "\
0  done
1  it failed; doctor: there is something to do
2  it was typed wrongly
3  nothing came in time: there is no message, or no room for one
4  there is no object of that name",
);

const EXAMPLES: Section = (
    "EXAMPLES",
    "\
madang send orders 'two teas' 'one coffee'
madang recv orders                       wait for a message and print it
madang recv orders --all                 print all that are there
tail -f log | madang send log --type 7   a message for each line
madang recv log --follow --json | jq .data
madang peek orders --all                 print all, and take none
madang ls; madang stat orders
madang rm orders
madang run -- ./server                   its System V calls go to madang",
);

const ENVIRONMENT: Section = (
    "ENVIRONMENT",
    "\
MADANG_DIR           where all but segments lies instead of in /dev/shm:
                     an absolute path
MADANG_SYSV_LIBRARY  the library that run has loaded",
);

const FORMS: Section = (
    "FORMS OF MESSAGES",
    "\
lines   The default: a message a line, without its newline. One with
        newlines in it becomes several.
--null  Each ends in a NUL byte, as with find -print0 and xargs -0.
--raw   Whatever they hold, one after another: the type in 8 bytes, the
        length in 8 bytes, each with the least significant first; then
        the message's bytes.
--json  An object a line: {\"type\": 3, \"data\": \"two teas\"}. What isn't
        UTF-8 has \"base64\" in place of \"data\". recv and peek add
        \"sequence\", how many were sent before it; \"length\"; and where
        somebody had it who didn't finish it, \"redelivered\", how often.
        send needs no \"type\".
--bare  send: standard input is one message. recv, peek: the messages'
        bytes, with nothing between them.",
);

const SEND: [Section; 4] = [
    (
        "WHAT IS PROMISED",
        "\
Messages are sent in order: if one can't be, those before it were, and
the command says how many. Killed in the midst of it, it has sent each
wholly or not at all.",
    ),
    FORMS,
    (
        "EXAMPLES",
        "\
madang send orders 'two teas'
madang send jobs --type 7 --timeout 0.5 < jobs.txt
find . -name '*.c' -print0 | madang send files --null
madang send pictures --bare < picture.png
madang send orders --capacity 64M < /dev/null   create it, no more",
    ),
    STATUS,
];

const RECV: [Section; 4] = [
    (
        "WHAT IS PROMISED",
        "\
A message is leased, and leaves the queue when it was printed. One that
can't be (nobody reads any more, the disk is full) goes back to its old
place, and the command ends. Ctrl-C or kill ends it between messages; a
second one ends it at once, as kill -9 does: then the last ones, of some
4 KiB together, are received again, though they may have been printed,
and are marked as redelivered. What a pipe holds when its reader dies is
lost. Where there is no memory for a lease, a message that can't be
printed goes behind the others.",
    ),
    FORMS,
    (
        "EXAMPLES",
        "\
madang recv orders --timeout 5 || echo nothing
madang recv jobs --follow | while IFS= read -r job; do ...; done
madang recv files --all --null | xargs -0 ls -l
madang recv jobs --type 7                the first of type 7
madang recv jobs --type -7 --all         types up to 7, the lowest first
madang recv a --all --raw | madang send b --raw   types stay the same",
    ),
    (
        "EXIT STATUS",
        "\
0  all that was asked for came; with --follow and --all: at least one
1  it failed
2  it was typed wrongly
3  it did not come in time
4  there is no queue of that name",
    ),
];

const PEEK: [Section; 3] = [
    (
        "WHAT IS SHOWN",
        "\
Messages in the order in which they would be received, but not leased
ones. Each is looked up by its position: if others receive meanwhile,
some are left out. Those far behind take long to find, and receivers
wait while they are looked for.",
    ),
    FORMS,
    (
        "EXIT STATUS",
        "\
0  at least one was shown
1  it failed
2  it was typed wrongly
3  there is no message at that position
4  there is no queue of that name",
    ),
];

const KERNEL: Section = (
    "THE KERNEL'S OBJECTS",
    "\
ls --kernel lists them, with the processes that used them last. Their
names, for stat and rm, are
sysv:msg:5       the System V message queue of identifier 5
sysv:shm:0x6d61  the shared memory segment of key 0x6d61
sysv:sem:7       the semaphore set of identifier 7
posix:mq:orders  the POSIX message queue /orders, which ls finds where
                 /dev/mqueue is mounted
posix:sem:gate   the POSIX semaphore /gate
posix:shm:frame  the POSIX shared memory object /frame
Of POSIX's it is told which processes have them open or mapped, as far as
this user may see that.",
);

const SYSV: Section = (
    "SYSTEM V FROM SHARED MEMORY",
    "\
What programs make by msgget, semget and shmget under `madang run` is of
the kinds queue, semaphores and memory, with names such as
sysv.id.0000002a: the identifier in hexadecimal. ls --ipcs prints those
that this user can open as ipcs prints the kernel's, mk makes them as
ipcmk does, and rm -q, -m, -s, -Q, -M, -S remove them as ipcrm does,
whatever they hold.",
);

const RUN: [Section; 3] = [
    (
        "WHAT IT DOES",
        "\
The program, and all that it starts, gets libmadang-sysv.so by
LD_PRELOAD, before what is there: msgget, semget, shmget and their like
then make objects in MADANG_DIR or /dev/shm, without the kernel. The
library's path is MADANG_SYSV_LIBRARY; else it is looked for in ../lib,
../lib64, and the directories in ../lib, from the command's directory;
else beside the command. A program that is statically linked can't be
served, nor one that gets another user's or group's rights by its mode.",
    ),
    (
        "EXAMPLES",
        "\
madang run -- ./server --port 80
madang ls --ipcs",
    ),
    (
        "EXIT STATUS",
        "\
that of the program, or
2    it was typed wrongly
125  there is no library to be loaded
126  the program was found, but can't be run, or not with the library
127  there is no such program",
    ),
];

const LS: [Section; 3] = [KERNEL, SYSV, STATUS];
const NAMED: [Section; 3] = [KERNEL, SYSV, STATUS];
const MK: [Section; 2] = [SYSV, STATUS];

/// What is said of a command besides its options.
pub(crate) fn sections(command: &str) -> &'static [Section] {
    match command {
        "madang" => &[EXAMPLES, ENVIRONMENT, STATUS],
        "send" => &SEND,
        "recv" => &RECV,
        "peek" => &PEEK,
        "ls" => &LS,
        "stat" | "rm" => &NAMED,
        "mk" => &MK,
        "run" => &RUN,
        _ => &[STATUS],
    }
}

fn more(command: &str) -> String {
    let section = |(heading, text): &Section| format!("{heading}\n  {}", text.replace('\n', "\n  "));
    sections(command).iter().map(section).collect::<Vec<_>>().join("\n\n")
}

/// See the head of this file.
#[derive(Debug, Parser)]
#[command(name = "madang", version, about = ABOUT, after_help = more("madang"))]
#[command(disable_help_subcommand = true, max_term_width = 100)]
pub(crate) struct Madang {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List what there is
    #[command(after_long_help = more("ls"))]
    Ls(Ls),
    /// Show all there is to know of one object
    #[command(after_long_help = more("stat"))]
    Stat(Stat),
    /// Send messages: its arguments, or what standard input brings
    #[command(after_long_help = more("send"))]
    Send(Send),
    /// Receive messages, and print them
    #[command(after_long_help = more("recv"))]
    Recv(Recv),
    /// Print messages, and leave them where they are
    #[command(after_long_help = more("peek"))]
    Peek(Peek),
    /// Give back memory that queues took and need no more
    #[command(after_long_help = more("trim"))]
    Trim(Trim),
    /// Remove objects by name
    #[command(after_long_help = more("rm"))]
    Rm(Rm),
    /// Make System V objects in shared memory, as ipcmk, and print their identifiers
    #[command(after_long_help = more("mk"))]
    Mk(Mk),
    /// Run a program whose System V calls madang serves from shared memory
    #[command(after_long_help = more("run"))]
    Run(Run),
    /// Sweep what killed processes left over; on demand what nobody uses
    #[command(after_long_help = more("gc"))]
    Gc(Gc),
    /// Say what is wrong on this machine, and what to do about it
    #[command(after_long_help = more("doctor"))]
    Doctor(Doctor),
    /// Write completions and man pages, as they lie under share/
    #[command(hide = true)]
    Generate(Generate),
}

/// ls
#[derive(Args, Debug)]
pub(crate) struct Ls {
    /// List segments too: every plain file in /dev/shm, whoever made it
    #[arg(long)]
    pub(crate) segments: bool,
    /// Print the System V objects that madang serves from shared memory, as ipcs prints the kernel's
    #[arg(long, conflicts_with_all = ["segments", "kernel", "any_owner", "json"])]
    pub(crate) ipcs: bool,
    /// List the kernel's objects instead: message queues, shared memory, semaphores of System V and POSIX
    #[arg(long, conflicts_with = "segments")]
    pub(crate) kernel: bool,
    #[command(flatten)]
    pub(crate) look: Look,
}

/// stat
#[derive(Args, Debug)]
pub(crate) struct Stat {
    /// Its name, as in `madang ls`; sysv:msg:ID, posix:shm:NAME and their like are the kernel's
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) name: String,
    /// What it is
    #[arg(long, value_parser = kind(), default_value = "queue")]
    pub(crate) kind: Kind,
    #[command(flatten)]
    pub(crate) look: Look,
}

/// What commands that only look have in common.
#[derive(Args, Debug)]
pub(crate) struct Look {
    /// Look at other users' objects too
    #[arg(long)]
    pub(crate) any_owner: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// send
#[derive(Args, Debug)]
pub(crate) struct Send {
    /// The queue's name; it is created if there is none
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) name: String,
    /// The messages; without any, standard input is sent, a message for each line
    #[arg(value_hint = ValueHint::Other, conflicts_with = "form")]
    pub(crate) messages: Vec<OsString>,
    /// The messages' type, greater than 0
    #[arg(long, short, value_name = "N", default_value_t = 1, allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) r#type: i64,
    /// Wait for room so many seconds at most, for each message; 0 doesn't wait [default: for ever]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) form: Form,
    /// Fail if there is no such queue
    #[arg(long)]
    pub(crate) no_create: bool,
    /// Use a queue of another user, who can do with it what he likes
    #[arg(long)]
    pub(crate) any_owner: bool,
    #[command(flatten)]
    pub(crate) limits: Limits,
}

/// recv
#[derive(Args, Debug)]
pub(crate) struct Recv {
    /// The queue's name
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) name: String,
    /// Which: N above 0, the first of that type; -N, the first of the lowest type up to N; 0, any
    #[arg(long, short, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) r#type: i64,
    /// The first that is not of this type
    #[arg(long, value_name = "N", conflicts_with = "type", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) except: Option<i64>,
    /// Receive so many messages, and wait for them
    #[arg(long, short = 'n', value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: u64,
    /// Receive whatever comes, until interrupted, or until nothing came for --timeout
    #[arg(long, short, conflicts_with = "count")]
    pub(crate) follow: bool,
    /// Receive what is there, and don't wait
    #[arg(long, short, conflicts_with_all = ["count", "follow", "timeout"])]
    pub(crate) all: bool,
    /// Wait for so many seconds at most, for each message; 0 doesn't wait [default: for ever]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) form: Form,
    /// Create the queue if there is none
    #[arg(long)]
    pub(crate) create: bool,
    /// Use a queue of another user, who can do with it what he likes
    #[arg(long)]
    pub(crate) any_owner: bool,
}

/// peek
#[derive(Args, Debug)]
pub(crate) struct Peek {
    /// The queue's name
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) name: String,
    /// Begin with the message that so many come before
    #[arg(long, short, value_name = "N", default_value_t = 0)]
    pub(crate) position: u64,
    /// Print so many messages, or as many as there are
    #[arg(long, short = 'n', value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: u64,
    /// Print all from there on
    #[arg(long, short, conflicts_with = "count")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) form: Form,
    /// Look at a queue of another user
    #[arg(long)]
    pub(crate) any_owner: bool,
}

/// trim
#[derive(Args, Debug)]
pub(crate) struct Trim {
    /// The queues' names, as in `madang ls`
    #[arg(required = true, value_hint = ValueHint::Other)]
    pub(crate) names: Vec<String>,
    /// Other users' queues too
    #[arg(long)]
    pub(crate) any_owner: bool,
}

/// In which form messages come and go; by default lines.
#[derive(Args, Debug)]
#[group(id = "form", multiple = false)]
pub(crate) struct Form {
    /// Messages end in a NUL byte instead of a newline
    #[arg(long, short = '0')]
    pub(crate) null: bool,
    /// Messages with their types and lengths, in binary
    #[arg(long)]
    pub(crate) raw: bool,
    /// Messages as JSON, an object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Nothing but a message's bytes
    #[arg(long)]
    pub(crate) bare: bool,
}

/// What a new queue is like.
#[derive(Args, Debug)]
#[command(next_help_heading = "If the queue is created")]
pub(crate) struct Limits {
    /// The most bytes that it holds, also the longest message; with K, M, G or T [default: 1M]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) capacity: Option<u64>,
    /// The most messages that it holds [default: 65536, or the capacity if that is less]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_messages: Option<u64>,
    /// How many may have it open at once [default: 1024]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_participants: Option<u32>,
    /// Its permission bits, exactly, in octal [default: 600]
    #[arg(long, value_name = "MODE", value_parser = mode)]
    pub(crate) mode: Option<u32>,
    /// What was received N times and always came back, as if it killed who reads it, goes to queue NAME
    #[arg(long, value_name = "NAME:N", value_parser = dead_letters)]
    pub(crate) dead_letters: Option<(String, u16)>,
}

/// rm
#[derive(Args, Debug)]
pub(crate) struct Rm {
    /// Their names, as in `madang ls`; sysv:msg:ID, posix:shm:NAME and their like are the kernel's
    #[arg(required_unless_present = "sysv", value_hint = ValueHint::Other)]
    pub(crate) names: Vec<String>,
    /// What they are
    #[arg(long, value_parser = kind(), default_value = "queue")]
    pub(crate) kind: Kind,
    /// Remove what holds messages, what somebody has open, attached or waits for, or what can't be looked into
    #[arg(long, short)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) sysv: SysvNames,
}

/// System V objects, as ipcrm has them.
#[derive(Args, Debug)]
#[group(id = "sysv", multiple = true)]
#[command(next_help_heading = "System V objects served from shared memory, removed as by ipcrm")]
pub(crate) struct SysvNames {
    /// The message queue of that identifier
    #[arg(short = 'q', long = "queue-id", value_name = "ID", value_parser = clap::value_parser!(i32).range(0..))]
    pub(crate) queue_ids: Vec<i32>,
    /// The message queue of that key
    #[arg(short = 'Q', long = "queue-key", value_name = "KEY", value_parser = key)]
    pub(crate) queue_keys: Vec<i32>,
    /// The shared memory segment of that identifier
    #[arg(short = 'm', long = "shmem-id", value_name = "ID", value_parser = clap::value_parser!(i32).range(0..))]
    pub(crate) shmem_ids: Vec<i32>,
    /// The shared memory segment of that key
    #[arg(short = 'M', long = "shmem-key", value_name = "KEY", value_parser = key)]
    pub(crate) shmem_keys: Vec<i32>,
    /// The semaphore set of that identifier
    #[arg(short = 's', long = "semaphore-id", value_name = "ID", value_parser = clap::value_parser!(i32).range(0..))]
    pub(crate) semaphore_ids: Vec<i32>,
    /// The semaphore set of that key
    #[arg(short = 'S', long = "semaphore-key", value_name = "KEY", value_parser = key)]
    pub(crate) semaphore_keys: Vec<i32>,
}

/// mk
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("made").required(true).multiple(true))]
pub(crate) struct Mk {
    /// A shared memory segment of so many bytes; with K, M, G or T
    #[arg(short = 'M', long, group = "made", value_name = "SIZE", value_parser = size)]
    pub(crate) shmem: Option<u64>,
    /// A message queue
    #[arg(short = 'Q', long, group = "made")]
    pub(crate) queue: bool,
    /// A set of so many semaphores, whose values are 0
    #[arg(short = 'S', long, group = "made", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) semaphore: Option<u32>,
    /// The permission bits, in octal
    #[arg(short = 'p', long, value_name = "MODE", value_parser = mode, default_value = "0644")]
    pub(crate) mode: u32,
}

/// run
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// The program, and what is passed to it
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "PROGRAM")]
    #[arg(value_hint = ValueHint::CommandWithArguments)]
    pub(crate) program: Vec<OsString>,
}

/// gc
#[derive(Args, Debug)]
pub(crate) struct Gc {
    /// Also queues that hold no message and that nobody has open, but not System V's: say which; with --yes remove them
    #[arg(long)]
    pub(crate) unused: bool,
    /// Don't ask
    #[arg(long, short, requires = "unused")]
    pub(crate) yes: bool,
    /// Only say what would be removed
    #[arg(long, short = 'n', conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// doctor
#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Read /etc, /proc, /run and /dev/shm under this directory instead
    #[arg(long, hide = true, default_value = "/", value_name = "DIR")]
    pub(crate) root: PathBuf,
}

/// generate
#[derive(Args, Debug)]
pub(crate) struct Generate {
    /// Where share/ is
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) directory: PathBuf,
}

/// What can be asked for by its kind and name.
fn kind() -> impl TypedValueParser<Value = Kind> {
    const KINDS: [Kind; 9] = [
        Kind::Queue,
        Kind::SemaphoreSet,
        Kind::Mutex,
        Kind::RwLock,
        Kind::Condition,
        Kind::Barrier,
        Kind::Event,
        Kind::Segment,
        Kind::Memory,
    ];
    PossibleValuesParser::new(KINDS.map(Kind::as_str))
        .map(|word| KINDS.into_iter().find(|kind| kind.as_str() == word).expect("one of them"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds >= 0.0);
    let seconds = seconds.ok_or("a number of seconds, 0 or more, such as 0.5")?;
    // What is too long to count is for ever. Less than a nanosecond is little, but not "don't wait".
    let duration = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    Ok(if seconds > 0.0 { duration.max(Duration::from_nanos(1)) } else { duration })
}

/// Until when a call that is made now may wait.
pub(crate) fn deadline(timeout: Option<Duration>) -> Deadline {
    timeout.map_or(Deadline::NEVER, Deadline::after)
}

fn size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.char_indices().last() {
        Some((at, unit)) if unit.is_ascii_alphabetic() => {
            let shift = "KMGT".find(unit.to_ascii_uppercase()).map(|place| 10 * (place as u32 + 1));
            (&text[..at], shift)
        }
        _ => (text, Some(0)),
    };
    let digits = digits.parse::<u64>().ok().filter(|&digits| digits > 0);
    let bytes = digits.zip(shift).and_then(|(digits, shift)| digits.checked_mul(1 << shift));
    bytes.ok_or_else(|| "bytes, 1 or more, or a number with K, M, G or T (1024 each), such as 4M".to_owned())
}

fn mode(text: &str) -> Result<u32, String> {
    let bits = u32::from_str_radix(text, 8).ok().filter(|&bits| bits <= 0o777 && bits > 0);
    bits.ok_or_else(|| "permission bits in octal, such as 660".to_owned())
}

/// In decimal, with 0x in hexadecimal, with 0 in octal, as ipcrm takes it.
fn key(text: &str) -> Result<i32, String> {
    let number = match (text.strip_prefix("0x").or(text.strip_prefix("0X")), text.strip_prefix('0')) {
        (Some(digits), _) => u32::from_str_radix(digits, 16),
        (None, Some(digits)) if !digits.is_empty() => u32::from_str_radix(digits, 8),
        _ => text.parse(),
    };
    let key = number.ok().filter(|&key| key != 0).map(u32::cast_signed);
    key.ok_or_else(|| "a key, such as 0x6d61; 0 is that of all that have none".to_owned())
}

fn dead_letters(text: &str) -> Result<(String, u16), String> {
    let parts = text.rsplit_once(':').filter(|(name, _)| !name.is_empty());
    let parts = parts.and_then(|(name, deliveries)| Some((name, deliveries.parse::<u16>().ok()?)));
    let parts = parts.filter(|(_, deliveries)| *deliveries > 0).map(|(name, deliveries)| (name.to_owned(), deliveries));
    parts.ok_or_else(|| "a queue's name, a colon, and how often, 1 to 65535, such as failed:5".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn it_is_consistent() {
        Madang::command().debug_assert();
    }

    /// A man page is indented by 7, and a terminal has 80 columns.
    #[test]
    fn no_line_of_help_is_broken() {
        for command in ["madang", "send", "recv", "peek", "ls", "run"] {
            for line in sections(command).iter().flat_map(|(_, text)| text.lines()) {
                assert!(line.len() <= 73, "{line}");
            }
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [("1", 1), ("64k", 64 << 10), ("4M", 4 << 20), ("1T", 1 << 40)] {
            assert_eq!(size(text), Ok(bytes));
        }
        for bad in ["", "0", "M", "4X", "4.5M", "-1", "4é", "99999999999999999999", "99999999999T"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(seconds("0"), Ok(Duration::ZERO));
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(seconds("1e-12"), Ok(Duration::from_nanos(1)));
        assert_eq!(seconds("inf"), Ok(Duration::MAX));
        for bad in ["", "-1", "nan", "soon"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn dead_letter_queues() {
        assert_eq!(dead_letters("failed:5"), Ok(("failed".to_owned(), 5)));
        assert_eq!(dead_letters("a:b:65535"), Ok(("a:b".to_owned(), 65_535)));
        for bad in ["", "failed", ":5", "failed:", "failed:0", "failed:65536", "5"] {
            assert!(dead_letters(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn modes() {
        assert_eq!((mode("660"), mode("0600")), (Ok(0o660), Ok(0o600)));
        for bad in ["", "0", "888", "10000", "rw"] {
            assert!(mode(bad).is_err(), "{bad}");
        }
    }
}
