//! Each language serves each: whole messages, a descriptor each way, and who sent it.
//!
//! ```text
//! server                                        client
//! "welcome"                            ───►
//!                                      ◄───     "two teas", and a file's descriptor
//! what came, the file's content, who   ───►
//! sent it; and a pipe's descriptor
//!                                      ◄───     1,000,000 bytes
//! the same                             ───►     prints the answer, what is in the pipe, and whether they are the same
//! ```

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{OnceLock, mpsc};

use madang::Deadline;
use madang::socket::{Address, Listener, Stream, Wanted};
use madang_tests::{Directory, Name, python};

use crate::company::{PATIENCE, c_library};

#[derive(Clone, Copy, Debug)]
enum Language {
    Rust,
    C,
    Python,
}

const ALL: [Language; 3] = [Language::Rust, Language::C, Language::Python];

/// Compiled once: while it is written it can't be run.
fn c_program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let source = c_library::top().join("tests/cross/kernel/socket.c");
    PROGRAM.get_or_init(|| c_library::compile(&source, "cross-socket", &[]))
}

fn program(language: Language) -> Command {
    let here = c_library::top().join("tests/cross/kernel");
    match language {
        Language::C => Command::new(c_program()),
        _ => {
            let mut python = Command::new(python());
            python.arg("-P");
            python.arg("-P").arg(here.join("socket.py"));
            python
        }
    }
}

fn soon() -> Deadline {
    Deadline::after(PATIENCE)
}

fn serve(listener: Listener) {
    let stream = listener.accept_until(soon()).unwrap();
    stream.pass_credentials(true).unwrap();
    stream.send_message(b"welcome").unwrap();
    let message = stream.recv_message_with(Wanted { fds: 1, ..Wanted::default() }, soon()).unwrap().unwrap();
    let mut content = String::new();
    File::from(message.fds.into_iter().next().unwrap()).read_to_string(&mut content).unwrap();
    let text = String::from_utf8(message.data).unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"from the server").unwrap();
    let answer = format!("{text}, {content}, {}", message.sender.unwrap().pid);
    stream.send_message_with(answer.as_bytes(), &[reader.as_fd()], soon()).unwrap();
    let much = stream.recv_message_until(soon()).unwrap().unwrap();
    stream.send_message_until(&much.data, soon()).unwrap();
    assert!(stream.recv_message_until(soon()).unwrap().is_none());
}

fn ask(address: &Address, file: &File) -> String {
    let stream = Stream::connect_until(address, soon()).unwrap();
    assert_eq!(stream.recv_message_until(soon()).unwrap().unwrap().data, b"welcome");
    stream.send_message_with(b"two teas", &[file.as_fd()], soon()).unwrap();
    let answer = stream.recv_message_with(Wanted { fds: 1, ..Wanted::default() }, soon()).unwrap().unwrap();
    let mut content = [0; 15];
    File::from(answer.fds.into_iter().next().unwrap()).read_exact(&mut content).unwrap();
    let much: Vec<u8> = (0..1_000_000).map(|number| (number % 251) as u8).collect();
    stream.send_message_until(&much, soon()).unwrap();
    let is_same = stream.recv_message_until(soon()).unwrap().unwrap().data == much;
    let (answer, content) = (String::from_utf8(answer.data).unwrap(), String::from_utf8_lossy(&content));
    format!("{answer}, {content}, {}\n", u8::from(is_same))
}

/// Both ends of one conversation; fails after a while.
fn converse(server: Language, client: Language, address: &Address, directory: &Directory) {
    let (begin, begun) = mpsc::channel();
    let path = directory.join("file");
    std::thread::scope(|scope| {
        scope.spawn(move || match server {
            Language::Rust => {
                let listener = Listener::bind(address).unwrap();
                begin.send(()).unwrap();
                serve(listener);
            }
            _ => {
                let mut program = program(server);
                let mut child = program.arg("serve").arg(address.to_string()).stdout(Stdio::piped()).spawn().unwrap();
                let mut line = String::new();
                BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
                assert_eq!(line.trim_end(), address.to_string());
                begin.send(()).unwrap();
                assert!(child.wait().unwrap().success());
            }
        });
        begun.recv_timeout(PATIENCE).expect("the server listens");
        let (said, pid) = match client {
            Language::Rust => (ask(address, &File::open(&path).unwrap()), std::process::id()),
            _ => {
                let mut program = program(client);
                let child = program.arg("ask").arg(address.to_string()).arg(&path).stdout(Stdio::piped()).spawn();
                let child = child.unwrap();
                let pid = child.id();
                (String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap(), pid)
            }
        };
        assert_eq!(said, format!("two teas, in a file, {pid}, from the server, 1\n"), "{server:?} and {client:?}");
    });
}

#[test]
fn each_serves_each() {
    let directory = Directory::new("cross-socket");
    std::fs::write(directory.join("file"), "in a file").unwrap();
    for server in ALL {
        for client in ALL {
            converse(server, client, &Address::unix(directory.join("s")), &directory);
            converse(server, client, &Address::abstract_name(&*Name::new("cross-socket")), &directory);
        }
    }
}

/// The code in that language that docs/kernel/socket.md gives to those who don't have madang.
fn strangers_code(language: &str) -> String {
    let guide = std::fs::read_to_string(c_library::top().join("docs/kernel/socket.md")).unwrap();
    let code = guide.split(&format!("```{language}\n")).nth(1).expect("a block in that language");
    code.split("```").next().unwrap().to_owned()
}

const PYTHON_MAIN: &str = "
import sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
while (data := recv_message(s)) is not None:
    send_message(s, data)
";

const C_HEAD: &str = "
#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
";

const C_MAIN: &str = "
int main(int argc, char **argv)
{
    static char room[1000000];
    ssize_t length;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, argc - 2);
    strcpy(to.sun_path, argv[1]);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        return 1;
    while ((length = recv_message(fd, room, sizeof room)) >= 0)
        if (send_message(fd, room, length) != 0)
            return 1;
    return 0;
}
";

/// A program that echoes messages, with nothing of madang's.
fn stranger(language: &str, directory: &Directory) -> Command {
    let code = strangers_code(language);
    if language == "python" {
        let mut python = Command::new(python());
        python.arg("-P");
        python.arg("-c").arg(code + PYTHON_MAIN);
        return python;
    }
    let (source, program) = (directory.join("stranger.c"), directory.join("stranger"));
    std::fs::write(&source, C_HEAD.to_owned() + &code + C_MAIN).unwrap();
    let mut compiler = c_library::compiler("c");
    c_library::succeed(compiler.args(c_library::WARNINGS).arg("-D_GNU_SOURCE").arg(source).arg("-o").arg(&program));
    Command::new(program)
}

#[test]
fn strangers_speak_it() {
    for language in ["python", "c"] {
        let directory = Directory::new("stranger");
        let mut stranger = stranger(language, &directory);
        let listener = Listener::bind(&Address::unix(directory.join("s"))).unwrap();
        let mut child = stranger.arg(directory.join("s")).spawn().unwrap();
        let stream = listener.accept_until(soon()).unwrap();
        for sent in [&b"two teas"[..], b"", &[7; 999_999]] {
            stream.send_message_until(sent, soon()).unwrap();
            assert!(stream.recv_message_until(soon()).unwrap().unwrap().data == sent, "{language}");
        }
        drop(stream);
        assert!(child.wait().unwrap().success(), "{language}");
    }
}
