//! `conda-oci status`: how far each subdir of a mirror is, who works, what waits and why; once, or again and again.

mod gather;
mod pace;
mod seen;
mod text;

use std::time::Duration;

use super::{Output, complain, print, terminal};
use crate::cli::Which;
use crate::invocation::COULD_NOT_RUN;
use gather::Observer;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(2);

/// Shows every mirror once.
pub(super) async fn once(found: &[Which], output: Output) -> anyhow::Result<u8> {
    let mut code = 0;
    for (at, which) in found.iter().enumerate() {
        let mut observer = Observer::new(which);
        match observer.look().await {
            Ok(seen) => {
                let width = terminal::width();
                output.say(&seen, || {
                    let text = text::whole(&seen);
                    let apart = if at > 0 { "\n" } else { "" };
                    match width {
                        Some(width) => format!("{apart}{}", terminal::cut(&text, width)),
                        None => format!("{apart}{text}"),
                    }
                })?;
            }
            Err(error) => {
                complain(&error);
                code = COULD_NOT_RUN;
            }
        }
    }
    Ok(code)
}

/// Shows every mirror again and again until a signal ends it: on a terminal in one place, elsewhere a line each time.
/// What cannot be seen for a while is said there, and looked for again.
pub(super) async fn watch(found: &[Which], output: Output) -> anyhow::Result<u8> {
    let mut observers: Vec<_> = found.iter().map(Observer::new).collect();
    let mut drawn = 0;
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let width = terminal::width().filter(|_| !output.json);
        let mut screen = String::new();
        for observer in &mut observers {
            let looked = observer.look().await;
            match (looked, width) {
                (Ok(seen), Some(_)) => screen.push_str(&text::whole(&seen)),
                (Ok(seen), None) => output.say(&seen, || text::line(&seen))?,
                (Err(error), Some(_)) => {
                    screen.push_str(&format!("{}: {error:#}\n", observer.title()));
                }
                (Err(error), None) => complain(&error.context(observer.title())),
            }
        }
        if let Some(width) = width {
            let screen = terminal::cut(&screen, width);
            let lines = screen.lines().count();
            print(&format!("{}{screen}", terminal::over(drawn)))?;
            drawn = lines;
        }
    }
}
