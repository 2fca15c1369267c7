//! What the README shows of a node with a config of one's own, done word for word: every command says what is printed
//! there. Then the node starts again, and loses its power, and is the same each time.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use e2e::lab::CREATE;
use e2e::{Lab, Node, Said, places, volumes};

/// The part of the README that is done.
const CHAPTER: &str = "## A node with a config of your own\n";

/// How the README calls the program.
const OSCTL: &str = "_out/osctl ";

/// The config that it makes.
const FILE: &str = "node-1.yaml";

/// One thing that the README has its reader do.
#[derive(Debug)]
enum Step {
    /// Run a command, of which this is said.
    Run { command: String, says: String },
    /// Add documents to the config.
    Add(String),
}

#[test]
fn the_example_works_as_it_stands_and_outlives_a_reboot_and_a_power_cut() -> Result<()> {
    let lab = Lab::new(1)?;
    let mut reader = Reader {
        lab: &lab,
        waits: None,
    };
    for step in steps()? {
        match step {
            Step::Run { command, says } => reader
                .run(&command, &says)
                .with_context(|| format!("$ {OSCTL}{command}"))?,
            Step::Add(documents) => rewrite(&lab, |config| config.to_owned() + &documents)?,
        }
    }

    let first = config(&lab)?;
    ensure!(first.contains("192.0.2.10/32"), "{first}");
    let back = lab.osctl("reboot --wait")?.fine()?;
    ensure!(
        back.contains("rebooted") && !back.contains("maintenance"),
        "{back}"
    );
    ensure!(config(&lab)? == first);

    let cluster = lab.clusters().open(&"lab".parse()?)?;
    let mut node = Node::new(&lab, cluster, "lab-cp-1".parse()?);
    node.power_cut()?;
    node.start()?.says("Linux version", lab.boot_deadline())?;
    node.shows("running", lab.boot_deadline(), volumes::runs)?;
    ensure!(config(&lab)? == first);

    lab.osctl("cluster destroy --name lab")?.fine()?;
    let contexts = lab.osctl("context list -o json")?.fine()?;
    ensure!(!contexts.contains("\"lab\""), "{contexts}");
    Ok(())
}

/// Somebody who does what the README says.
struct Reader<'a> {
    lab: &'a Lab,
    /// Where the machine waits and for which string, in the README and here.
    waits: Option<[(String, String); 2]>,
}

impl Reader<'_> {
    fn run(&mut self, command: &str, says: &str) -> Result<()> {
        if command.starts_with("cluster create") {
            return self.create(command, says);
        }
        let (command, mut says) = (self.here(command), self.here(says));
        if command.starts_with("get ") {
            // A router may have added something, and what was applied takes hold a little later.
            let all = |said: &str| trimmed(&says).iter().all(|it| trimmed(said).contains(it));
            return self.lab.osctl_until(&command, all).map(drop);
        }
        let (said, code) = if command.starts_with("config validate") {
            let (said, line) = self.mistaken(&command)?;
            says = at_line(&says, line)?;
            (said, 1)
        } else if command.contains("--dry-run") {
            if command.contains(FILE) {
                rewrite(self.lab, |config| {
                    config.replace("via: 10.0.2.2\n", "via: 10.0.2.2\n    metric: 7\n")
                })?;
            }
            (self.lab.osctl_with(words(&command))?, 3)
        } else {
            (self.lab.osctl_with(words(&command))?, 0)
        };
        // Where a reader's home is and what else he has, is his affair.
        let of_the_reader = command.starts_with("gen crt");
        let whole = format!("{}{}", said.out, said.err);
        ensure!(
            said.code == Some(code) && (of_the_reader || trimmed(&whole) == trimmed(&says)),
            "it ended with {:?} and said\n{whole}\nin the README it is {code} and\n{says}",
            said.code
        );
        Ok(())
    }

    /// Starts the machine, and takes down what it shows.
    fn create(&mut self, command: &str, says: &str) -> Result<()> {
        let image = places::cloud_folder()?;
        let image = image.to_str().context("a path of UTF-8")?;
        let said = self
            .lab
            .osctl_for(CREATE, &format!("{command} --image {image}"))?;
        let whole = format!("{}{}", said.out, said.err);
        said.fine()?;
        self.waits = Some([waits(says)?, waits(&whole)?]);
        Ok(())
    }

    /// The same text about the machine that is here.
    fn here(&self, text: &str) -> String {
        let Some([(there, its_string), (here, string)]) = &self.waits else {
            return text.to_owned();
        };
        text.replace(there, here).replace(its_string, string)
    }

    /// Runs a command while the config has the mistake that the README tells of; in which line that is, too.
    fn mistaken(&self, command: &str) -> Result<(Said, usize)> {
        let [right, wrong] = ["\naddresses: ", "\nadresses: "];
        rewrite(self.lab, |config| config.replace(right, wrong))?;
        let said = self.lab.osctl_with(words(command))?;
        let mut line = 0;
        rewrite(self.lab, |config| {
            line = config
                .lines()
                .take_while(|it| !it.starts_with(wrong.trim_start()))
                .count()
                + 1;
            config.replace(wrong, right)
        })?;
        Ok((said, line))
    }
}

/// The config of the node, which calls itself as it does there.
fn config(lab: &Lab) -> Result<String> {
    volumes::ready(lab)?;
    let version = lab.osctl("version -o json")?.fine()?;
    ensure!(version.contains("\"hostname\": \"node-1\""), "{version}");
    lab.osctl("config show")?.fine()
}

/// What the README has its reader do, in order.
fn steps() -> Result<Vec<Step>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let text = fs::read_to_string(path).context("reading the README")?;
    let (_, chapter) = text.split_once(CHAPTER).context("no such chapter")?;
    let chapter = chapter.split("\n## ").next().unwrap_or_default();
    let mut steps = Vec::new();
    // Text and blocks in turn.
    for block in chapter.split("```").skip(1).step_by(2) {
        let (kind, block) = block.split_once('\n').context("a block without lines")?;
        match kind {
            "yaml" => steps.push(Step::Add(block.to_owned())),
            "console" => {
                for run in block.split("$ ").filter(|it| !it.is_empty()) {
                    let (command, says) = run.split_once('\n').unwrap_or((run, ""));
                    let command = command.strip_prefix(OSCTL).context("another program")?;
                    steps.push(Step::Run {
                        command: command.to_owned(),
                        says: says.to_owned(),
                    });
                }
            }
            other => bail!("nobody knows what to do with a block of {other:?}"),
        }
    }
    Ok(steps)
}

/// The words of a command as a shell takes them, of whose language the README uses spaces and single quotes.
fn words(command: &str) -> Vec<String> {
    let parts = command.split('\'').enumerate();
    let words = parts.flat_map(|(number, part)| match number % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}

/// The address and the string behind `waits at`.
fn waits(said: &str) -> Result<(String, String)> {
    let (_, rest) = said
        .split_once(" waits at ")
        .with_context(|| said.to_owned())?;
    let line = rest.lines().next().unwrap_or_default();
    let (address, string) = line.split_once(" for: ").with_context(|| said.to_owned())?;
    Ok((address.to_owned(), string.trim().to_owned()))
}

/// The same complaint about another line: certificates are not all of one length.
fn at_line(says: &str, line: usize) -> Result<String> {
    let (_, rest) = says.split_once(&format!("{FILE}:")).context("no place")?;
    let (there, _) = rest.split_once(':').context("no line")?;
    Ok(says.replace(there, &line.to_string()))
}

/// Lines without the spaces that end them, which nobody sees.
fn trimmed(text: &str) -> Vec<&str> {
    text.trim().lines().map(str::trim_end).collect()
}

/// Edits the config.
fn rewrite(lab: &Lab, edit: impl FnOnce(&str) -> String) -> Result<()> {
    let path = lab.home().join(FILE);
    let config = fs::read_to_string(&path).with_context(|| FILE.to_owned())?;
    let edited = edit(&config);
    ensure!(edited != config, "there was nothing to edit in\n{config}");
    Ok(fs::write(&path, edited)?)
}
