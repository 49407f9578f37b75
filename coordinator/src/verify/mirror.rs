//! One mirror: its subdirs one after another, a repair of what is damaged, and a second look at that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use mirror_channel::selection::Selection;
use mirror_channel::source::Fetcher;
use mirror_channel::subdir;
use mirror_oci::registry::Address;
use mirror_runtime::{Shutdown, clock, process};
use mirror_worker::OwnFolder;

use super::finding::Standing;
use super::findings::Findings;
use super::progress::Progress;
use super::subdir::{Against, Looked, Mended, Verifier};
use super::summary::{SubdirVerdict, Verdict};
use crate::cli::Depth;
use crate::engine::{self, Request};
use crate::options::Options;
use crate::progress::{Screen, Style};
use crate::repair::Repair;
use crate::report::Report;
use crate::{parts, places, undistributable};

/// What is said of the mirror.
pub(crate) async fn verify(
    request: Request,
    compares: bool,
    depth: Depth,
    style: Style,
    screen: &Screen,
    shutdown: &Shutdown,
) -> Verdict {
    let started = Instant::now();
    let registry = request.options.registry.as_ref();
    let mut verdict = Verdict {
        name: request.name.clone(),
        channel: request.channel.name.clone(),
        registry: registry.map(ToString::to_string).unwrap_or_default(),
        deep: depth.deep,
        against: compares.then(|| request.channel.display()),
        ..Verdict::default()
    };
    let report = match Report::of("findings", request.report.as_deref()) {
        Ok(report) => report,
        Err(error) => {
            verdict.error = Some(format!("{error:#}"));
            return verdict;
        }
    };
    let run = Run {
        depth,
        compares,
        style,
        screen,
        shutdown,
        report: &report,
    };
    if let Err(error) = run.run(request, &mut verdict).await {
        verdict.error = Some(format!("{error:#}"));
    }
    verdict.interrupted |= shutdown.is_requested();
    verdict.sound = !verdict.interrupted && !verdict.is_broken() && verdict.wrong() == 0;
    verdict.seconds = started.elapsed().as_secs_f64();
    if let Err(error) = report.finish(&verdict) {
        verdict.sound = false;
        verdict.error.get_or_insert(format!("{error:#}"));
    }
    verdict
}

struct Run<'a> {
    depth: Depth,
    compares: bool,
    style: Style,
    screen: &'a Screen,
    shutdown: &'a Shutdown,
    report: &'a Report,
}

impl Run<'_> {
    async fn run(&self, request: Request, verdict: &mut Verdict) -> anyhow::Result<()> {
        let stopped = self.shutdown.requested();
        tokio::select! {
            biased;
            ended = self.verify(request, verdict) => ended,
            // What is in flight stops by itself; what does not is dropped.
            () = async {
                stopped.await;
                tokio::time::sleep(std::time::Duration::from_secs(7)).await;
            } => Ok(()),
        }
    }

    async fn verify(&self, request: Request, verdict: &mut Verdict) -> anyhow::Result<()> {
        // Nothing is made or tried where it is only looked.
        let options = Options {
            dry_run: true,
            ..request.options.clone()
        };
        let address = options.registry.as_ref().context("no registry")?;
        let redis = parts::shared(&options).await?;
        let name = process::name("conda-oci");
        let budget = parts::budget(&options, redis.as_ref(), &name);
        let credentials = request.credentials.clone();
        let destination = parts::destination(&options, credentials, &budget)?;
        let destination =
            destination.with_context(|| format!("there is no mirror: {address} is not there"))?;
        let fetcher = parts::fetcher(&options, &budget)?;
        let against = match self.compares {
            true => Some(against(&request, fetcher).await?),
            false => None,
        };
        let parent = match &options.spool {
            Some(spool) => spool.join("verify"),
            None => std::env::temp_dir().join("conda-oci"),
        };
        let own = OwnFolder::make(&parent)?;
        let journals = places::verify(&options.memory, address, &request.channel.name);
        let progress = Progress::new(self.style, self.screen);
        let verifier = Verifier {
            destination: &destination,
            namespace: match address {
                Address::Registry(registry) => &registry.namespace,
                Address::Folder(_) | Address::Channel(_) => "",
            },
            channel: &request.channel.name,
            against,
            deep: self.depth.deep,
            fresh: self.depth.fresh,
            workers: options.workers,
            scratch: own.path(),
            journals: journals
                .inspect_err(|error| {
                    tracing::warn!("an interrupted run will begin anew: {error:#}")
                })
                .ok(),
            shutdown: self.shutdown,
            progress: &progress,
        };
        let mut looked = self
            .first_look(&verifier, &options.subdirs, verdict)
            .await?;
        anyhow::ensure!(
            !looked.is_empty() || !verdict.subdirs.is_empty() || self.shutdown.is_requested(),
            "nothing is published at {address} under the name {}; are registry and channel spelled right?",
            request.channel.name
        );
        let mut repair = Repair::default();
        for (subdir, looked) in &mut looked {
            let damage = looked.findings.take_damage()?;
            if !damage.is_none() {
                repair.subdirs.insert(subdir.clone(), damage);
            }
        }
        verdict.interrupted |= looked.values().any(|looked| looked.interrupted);
        let repairs = self.depth.repair && !repair.subdirs.is_empty() && !verdict.interrupted;
        if !repairs {
            for (subdir, looked) in looked {
                self.close(&subdir, looked, verdict)?;
            }
            return Ok(());
        }
        let repair = Arc::new(repair);
        let mending = Request {
            report: None,
            options: Options {
                subdirs: repair.subdirs.keys().cloned().collect(),
                repair: Some(Arc::clone(&repair)),
                ..request.options.clone()
            },
            channel: request.channel.clone(),
            natural_name: request.natural_name.clone(),
            name: request.name.clone(),
            filters: request.filters.clone(),
            undistributable: request.undistributable.clone(),
            credentials: request.credentials.clone(),
            source_credentials: request.source_credentials.clone(),
            guard: request.guard,
            push: None,
        };
        // Two displays would tear each other.
        progress.hide();
        let mended = engine::run(mending, self.style, self.screen, self.shutdown).await;
        if let Some(error) = &mended.error {
            verdict.error = Some(format!("the repair: {error}"));
        }
        if let Some(registry) = &mended.login_needed {
            let text = format!(
                "the repair: {registry} wants a login for pushing; set ORAS_USER and ORAS_PASS, or log in with `docker login {registry}`, and run again"
            );
            verdict.error = Some(text);
        }
        verdict.repair = Some(mended);
        for (subdir, first) in looked {
            match repair.of(&subdir) {
                None => self.close(&subdir, first, verdict)?,
                Some(damage) => {
                    let mended = Mended {
                        damage,
                        shards: &first.shards,
                    };
                    let again = verifier.look(&subdir, true, Some(&mended)).await?;
                    let again = again.context("what was asked for is looked at")?;
                    self.close_again(&subdir, first, again, verdict)?;
                }
            }
        }
        Ok(())
    }

    /// Looks at the subdirs that somebody asked for, or all that there are.
    async fn first_look(
        &self,
        verifier: &Verifier<'_>,
        chosen: &[String],
        verdict: &mut Verdict,
    ) -> anyhow::Result<BTreeMap<String, Looked>> {
        let names: Vec<&str> = match chosen {
            [] => subdir::known(),
            chosen => chosen.iter().map(String::as_str).collect(),
        };
        let mut all = BTreeMap::new();
        for name in names {
            if self.shutdown.is_requested() {
                break;
            }
            match verifier.look(name, !chosen.is_empty(), None).await {
                Ok(None) => {}
                Ok(Some(looked)) => {
                    all.insert(name.to_owned(), looked);
                }
                // One that cannot be looked at does not keep the others from it.
                Err(error) => {
                    let hopeless = error
                        .downcast_ref::<mirror_oci::DestinationError>()
                        .is_some_and(mirror_oci::DestinationError::is_unreachable);
                    if hopeless {
                        return Err(error);
                    }
                    verdict.subdirs.push(SubdirVerdict {
                        subdir: name.to_owned(),
                        error: Some(format!("{error:#}")),
                        ..SubdirVerdict::default()
                    });
                }
            }
        }
        Ok(all)
    }

    /// Reports what was found.
    fn close(&self, subdir: &str, looked: Looked, verdict: &mut Verdict) -> anyhow::Result<()> {
        let Looked {
            verdict: of_subdir,
            findings,
            journal,
            interrupted,
            ..
        } = looked;
        findings.each(|kept| {
            let reported = kept.reported(subdir, Standing::Present);
            self.report.add_to(subdir, &reported);
            Ok(())
        })?;
        if let (Some(journal), false) = (journal, interrupted || self.shutdown.is_requested()) {
            journal.finish();
        }
        verdict.subdirs.push(of_subdir);
        Ok(())
    }

    /// Reports what stands after a repair.
    fn close_again(
        &self,
        subdir: &str,
        first: Looked,
        again: Looked,
        verdict: &mut Verdict,
    ) -> anyhow::Result<()> {
        verdict.interrupted |= again.interrupted;
        let before: Findings = first.findings;
        let repaired = before.after(again.findings, |kept, standing| {
            self.report.add_to(subdir, &kept.reported(subdir, standing));
            Ok(())
        })?;
        let resumable = again.interrupted || self.shutdown.is_requested();
        if let (Some(journal), false) = (first.journal, resumable) {
            journal.finish();
        }
        verdict.subdirs.push(SubdirVerdict {
            repaired,
            outside: first.verdict.outside,
            yanked: first.verdict.yanked,
            resumed: first.verdict.resumed,
            ..again.verdict
        });
        Ok(())
    }
}

/// The channel to compare with.
async fn against(request: &Request, fetcher: Arc<Fetcher>) -> anyhow::Result<Against> {
    let mut filters = request.filters.clone();
    let names = [request.channel.name.as_str(), request.natural_name.as_str()];
    let given = request.undistributable.as_deref();
    filters.undistributable = undistributable::names(names, given, &fetcher).await?;
    Ok(Against {
        channel: request.channel.clone(),
        selection: Arc::new(Selection::new(&filters, clock::now_ms())?),
        fetcher,
    })
}
