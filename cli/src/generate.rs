//! `madang generate`: completions and man pages, for `make install`.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;

use crate::args::{Generate, Madang, sections};
use crate::failure::{Failure, Result};

/// Where each shell looks, under share/, and what it expects there.
const COMPLETIONS: [(Shell, &str, &str); 3] = [
    (Shell::Bash, "bash-completion/completions", "madang"),
    (Shell::Zsh, "zsh/site-functions", "_madang"),
    (Shell::Fish, "fish/vendor_completions.d", "madang.fish"),
];

pub(crate) fn run(args: &Generate) -> Result<()> {
    let share = &args.directory;
    let done = completions(share).and_then(|()| pages(&share.join("man/man1")));
    done.map_err(|error| Failure::io(&format!("write to {share:?}"), &error))
}

fn completions(share: &Path) -> io::Result<()> {
    for (shell, directory, file) in COMPLETIONS {
        let directory = share.join(directory);
        fs::create_dir_all(&directory)?;
        let made = generate_to(shell, &mut Madang::command(), "madang", &directory)?;
        fs::rename(made, directory.join(file))?;
    }
    Ok(())
}

/// A page for the command, and one for each of its commands.
fn pages(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let mut madang = Madang::command();
    madang.build();
    let commands: Vec<_> = madang.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
    for command in commands.into_iter().chain([madang]) {
        let title = command.get_display_name().unwrap_or("madang").to_owned();
        fs::write(directory.join(format!("{title}.1")), page(command, &title)?)?;
    }
    Ok(())
}

fn page(command: clap::Command, title: &str) -> io::Result<Vec<u8>> {
    let (has_commands, name) = (command.has_subcommands(), command.get_name().to_owned());
    let version = format!("madang {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command).title(title).source(version).manual("madang");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if has_commands {
        man.render_subcommands_section(&mut page)?;
    }
    for (heading, text) in sections(&name) {
        page.extend(format!(".SH {heading:?}\n.nf\n{}\n.fi\n", escaped(text)).bytes());
    }
    Ok(page)
}

/// Text for roff, in which backslashes and dots and quotes at a line's start mean something, and a hyphen isn't a minus.
fn escaped(text: &str) -> String {
    let line = |line: &str| {
        let line = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
        if line.starts_with('.') { format!("\\&{line}") } else { line }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}
