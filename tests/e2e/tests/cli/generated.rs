//! `conda-oci completions` and `conda-oci man`: made from the command line, and readable by what reads them.

use mirror_kit::process::{Finished, Home, Run};

async fn printed(arguments: &[&str]) -> String {
    let finished = Run::new().args(arguments).run().await;
    finished.assert_code(0);
    assert_eq!(finished.stderr, "", "{}", finished.to_text());
    finished.stdout
}

/// A reader of a file that this test wrote, if the machine has it.
async fn read_by(program: &str, arguments: &[&str], text: &str) -> Option<Finished> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).find(|folder| folder.join(program).exists())?;
    let home = Home::new();
    std::fs::write(home.path().join("text"), text).unwrap();
    Some(
        Run::in_home(&home)
            .program(program)
            .args(arguments)
            .arg("text")
            .run()
            .await,
    )
}

/// The long options that a help text names.
fn options(help: &str) -> Vec<String> {
    let begins = help
        .lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with('-'));
    let words = begins.flat_map(|line| line.split([' ', ',', '=']));
    let mut options: Vec<String> = words
        .filter(|word| word.starts_with("--"))
        .map(str::to_owned)
        .collect();
    options.sort();
    options.dedup();
    options
}

#[tokio::test]
async fn each_shell_gets_completions_of_every_command_and_option() {
    let options = options(&printed(&["mirror", "--help"]).await);
    assert!(options.len() > 30, "{options:?}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&["completions", shell]).await;
        for option in &options {
            // fish names them without their dashes.
            let name = if shell == "fish" {
                format!("-l {}", &option[2..])
            } else {
                option.clone()
            };
            assert!(script.contains(&name), "{shell}: no {name}");
        }
        for command in ["mirror", "completions", "man"] {
            assert!(script.contains(command), "{shell}: no {command}");
        }
    }
}

#[tokio::test]
async fn shells_read_their_completions() {
    for (shell, arguments) in [
        ("bash", &["-n"][..]),
        ("zsh", &["-n"]),
        ("fish", &["--no-execute"]),
    ] {
        let script = printed(&["completions", shell]).await;
        if let Some(read) = read_by(shell, arguments, &script).await {
            read.assert_code(0);
            assert_eq!(read.stderr, "", "{}", read.to_text());
        }
    }
}

#[tokio::test]
async fn bash_completes_commands_options_and_values() {
    let script = printed(&["completions", "bash"]).await;
    for (words, expected) in [
        ("mi", "mirror"),
        ("mirror --max-f", "--max-files"),
        ("mirror --newer", "--newer-than"),
        ("mirror --log-format js", "json"),
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        let current = words[words.len() - 1];
        let before = ["conda-oci"].iter().chain(&words).rev().nth(1).unwrap();
        // What bash does when somebody presses Tab.
        let press = format!(
            "{script}\nCOMP_WORDS=(conda-oci {}); COMP_CWORD={}\n\
             $(complete -p conda-oci | sed 's/.*-F \\([^ ]*\\).*/\\1/') conda-oci '{current}' '{before}'\n\
             echo \"${{COMPREPLY[*]}}\"\n",
            words.join(" "),
            words.len()
        );
        let Some(pressed) = read_by("bash", &[], &press).await else {
            return;
        };
        pressed.assert_code(0);
        assert_eq!(pressed.stdout.trim(), expected, "{}", pressed.stderr);
    }
}

#[tokio::test]
async fn an_unknown_shell_is_refused_with_those_that_are_known() {
    let finished = Run::new().args(["completions", "ksh"]).run().await;
    finished.assert_code(2);
    for shell in ["ksh", "bash", "zsh", "fish"] {
        assert!(finished.stderr.contains(shell), "{}", finished.to_text());
    }
}

#[tokio::test]
async fn the_manual_of_a_command_names_its_options_and_examples() {
    let page = printed(&["man", "mirror"]).await;
    let plain = page.replace('\\', "");
    for option in options(&printed(&["mirror", "--help"]).await) {
        assert!(plain.contains(&option), "no {option}");
    }
    for part in [
        ".TH conda-oci-mirror 1",
        ".SH NAME",
        ".SH SYNOPSIS",
        ".SH OPTIONS",
        ".SH \"ENVIRONMENT\"",
        ".SH \"EXIT STATUS\"",
        "--config mirrors.toml",
    ] {
        assert!(plain.contains(part), "no {part}");
    }
    let whole = printed(&["man"]).await.replace('\\', "");
    for command in [
        "conda-oci-mirror(1)",
        "conda-oci-man(1)",
        "conda-oci-completions(1)",
    ] {
        assert!(whole.contains(command), "no {command}");
    }
}

#[tokio::test]
async fn the_manual_is_roff() {
    for page in [&["man"][..], &["man", "mirror"], &["man", "man"]] {
        let text = printed(page).await;
        // A line that begins with a dot is a request or a macro of two capitals or so; text that does is lost.
        for line in text.lines().filter(|line| line.starts_with(['.', '\''])) {
            let request = line[1..].split([' ', '\\']).next().unwrap();
            let known = [
                "TH", "IP", "SH", "SS", "TP", "PP", "RS", "RE", "br", "sp", "ie", "el", "nf", "fi",
            ];
            assert!(known.contains(&request), "{page:?}: {line}");
        }
        for (reader, arguments) in [
            ("groff", &["-k", "-K", "utf8", "-man", "-Tutf8", "-ww"][..]),
            ("mandoc", &["-Tlint"]),
        ] {
            if let Some(read) = read_by(reader, arguments, &text).await {
                read.assert_code(0);
                assert_eq!(read.stderr, "", "{}", read.to_text());
            }
        }
    }
}

#[tokio::test]
async fn all_pages_are_written_into_a_folder_one_a_command() {
    let home = Home::new();
    let finished = Run::in_home(&home)
        .args(["man", "--dir", "share/man1"])
        .run()
        .await;
    finished.assert_code(0);
    assert_eq!((&*finished.stdout, &*finished.stderr), ("", ""));
    let folder = home.path().join("share/man1");
    let pages = std::fs::read_dir(&folder).unwrap();
    let mut pages: Vec<_> = pages
        .map(|page| page.unwrap().file_name().into_string().unwrap())
        .collect();
    pages.sort();
    let expected = [
        "conda-oci-cancel.1",
        "conda-oci-completions.1",
        "conda-oci-enqueue.1",
        "conda-oci-failures.1",
        "conda-oci-man.1",
        "conda-oci-mirror.1",
        "conda-oci-pause.1",
        "conda-oci-publish.1",
        "conda-oci-pull-cache.1",
        "conda-oci-push-cache.1",
        "conda-oci-resume.1",
        "conda-oci-retry.1",
        "conda-oci-status.1",
        "conda-oci-verify.1",
        "conda-oci.1",
    ];
    assert_eq!(pages, expected);
    let written = std::fs::read_to_string(folder.join("conda-oci-mirror.1")).unwrap();
    assert_eq!(written, printed(&["man", "mirror"]).await);
}

#[tokio::test]
async fn a_page_that_there_is_not_and_a_folder_that_cannot_be_made_are_said() {
    let unknown = Run::new().args(["man", "mirrors"]).run().await;
    unknown.assert_code(2);
    for part in ["`mirrors`", "mirror", "completions"] {
        assert!(unknown.stderr.contains(part), "{}", unknown.to_text());
    }
    let home = Home::new();
    std::fs::write(home.path().join("file"), "").unwrap();
    let below = Run::in_home(&home)
        .args(["man", "--dir", "file/man1"])
        .run()
        .await;
    below.assert_code(2);
    assert!(
        below.stderr.contains("file/man1") && below.stderr.contains("--dir"),
        "{}",
        below.to_text()
    );
}

#[tokio::test]
async fn the_examples_of_the_manual_keep_their_lines() {
    let page = printed(&["man", "mirror"]).await;
    let (_, examples) = page
        .split_once(".SH EXAMPLES\n.nf\n")
        .expect("a section of its own");
    let (examples, _) = examples
        .split_once("\n.fi\n")
        .expect("lines are filled again");
    let example = "    conda-oci mirror --channel conda-forge --package zlib --dry-run\n";
    assert!(examples.replace('\\', "").contains(example), "{examples}");
}
