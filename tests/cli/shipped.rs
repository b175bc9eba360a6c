//! What `make install` gives besides the command: completions and man pages; and help.

use std::fs;
use std::process::Command;

use madang_tests::Directory;

use crate::command::{Madang, finish};

const COMMANDS: [&str; 11] = ["ls", "stat", "send", "recv", "peek", "trim", "rm", "mk", "run", "gc", "doctor"];

#[test]
fn help_and_version() {
    let madang = Madang::new();
    assert_eq!(madang.run(["--version"]).well().text(), concat!("madang ", env!("CARGO_PKG_VERSION"), "\n"));
    let help = madang.run(["--help"]).well().text().to_owned();
    assert!(COMMANDS.iter().all(|command| help.contains(&format!("\n  {command} "))), "{help}");
    assert!(help.contains("EXIT STATUS") && !help.contains("generate"), "{help}");
    for command in COMMANDS {
        let help = madang.run([command, "--help"]).well().text().to_owned();
        assert!(help.contains(&format!("Usage: madang {command}")) && help.contains("EXIT STATUS"), "{help}");
    }
}

#[test]
fn man_pages_and_completions() {
    let (madang, share) = (Madang::new(), Directory::new("share"));
    madang.run(["generate", share.to_str().unwrap()]).well();
    let read = |file: &str| fs::read_to_string(share.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert!(read("man/man1/madang.1").contains("madang\\-recv(1)"));
    assert!(!share.join("man/man1/madang-generate.1").exists());
    for command in COMMANDS {
        let page = read(&format!("man/man1/madang-{command}.1"));
        assert!(page.contains(".SH SYNOPSIS") && page.contains(".SH \"EXIT STATUS\""), "{page}");
    }
    assert!(read("man/man1/madang-recv.1").contains(".SH \"WHAT IS PROMISED\""));
    assert!(read("man/man1/madang-peek.1").contains(".SH \"WHAT IS SHOWN\""));
    assert!(read("man/man1/madang-run.1").contains(".SH \"WHAT IT DOES\""));
    assert!(read("man/man1/madang-rm.1").contains("\\fB\\-\\-queue\\-key\\fR"));
    assert!(read("fish/vendor_completions.d/madang.fish").contains("-l ipcs"));
    assert!(read("zsh/site-functions/_madang").starts_with("#compdef madang"));
    assert!(read("fish/vendor_completions.d/madang.fish").contains("-a \"doctor\""));
    let script = share.join("bash-completion/completions/madang");
    let ask = "source \"$0\" && COMP_WORDS=(madang recv q --fo) COMP_CWORD=3 && _madang madang --fo q && echo \"${COMPREPLY[@]}\"";
    let done = finish(Command::new("bash").args(["-c", ask]).arg(&script), b"");
    assert_eq!((done.status, done.text()), (0, "--follow\n"), "{done:?}");
    let ask = ask.replace("recv q --fo", "peek q --po").replace("--fo q", "--po q");
    let done = finish(Command::new("bash").args(["-c", &ask]).arg(script), b"");
    assert_eq!((done.status, done.text()), (0, "--position\n"), "{done:?}");
}
