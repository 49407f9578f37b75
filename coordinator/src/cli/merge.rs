//! Options over options: the command line's over a mirror's, a mirror's over the defaults of its file.

use super::mirror::MirrorArgs;

impl MirrorArgs {
    /// These options where given, else those of `under`. Exclusions add up: leaving one out by accident would bring
    /// back what must not be passed on.
    pub(crate) fn over(mut self, under: Self) -> Self {
        let list = |over: Vec<String>, under: Vec<String>| match over.is_empty() {
            true => under,
            false => over,
        };
        // Two spellings of one option: the one given last counts alone.
        let (registry, user) = match (&self.registry, &self.user) {
            (None, None) => (under.registry, under.user),
            _ => (self.registry.take(), self.user.take()),
        };
        let mut excluded = under.excluded;
        excluded.extend(self.excluded);
        Self {
            name: self.name.or(under.name),
            channel: self.channel.or(under.channel),
            channel_base: self.channel_base.or(under.channel_base),
            rename: self.rename.or(under.rename),
            subdirs: list(self.subdirs, under.subdirs),
            packages: list(self.packages, under.packages),
            excluded,
            latest: self.latest.or(under.latest),
            newer_than: self.newer_than.or(under.newer_than),
            max_size: self.max_size.or(under.max_size),
            formats: list(self.formats, under.formats),
            undistributable: self.undistributable.or(under.undistributable),
            registry,
            user,
            workers: self.workers.or(under.workers),
            max_writes_per_minute: self.max_writes_per_minute.or(under.max_writes_per_minute),
            max_reads_per_minute: self.max_reads_per_minute.or(under.max_reads_per_minute),
            max_files: self.max_files.or(under.max_files),
            max_bytes: self.max_bytes.or(under.max_bytes),
            attempts: self.attempts.or(under.attempts),
            read_timeout: self.read_timeout.or(under.read_timeout),
            allow_unverified: self.allow_unverified.or(under.allow_unverified),
            publish_every: self.publish_every.or(under.publish_every),
            allow_shrink: self.allow_shrink.or(under.allow_shrink),
            state: self.state.or(under.state),
            queue: self.queue.or(under.queue),
            queue_name: self.queue_name.or(under.queue_name),
            annotations: list(self.annotations, under.annotations),
            max_chunk: self.max_chunk.or(under.max_chunk),
            insecure_skip_tls_verify: self
                .insecure_skip_tls_verify
                .or(under.insecure_skip_tls_verify),
            ca_file: self.ca_file.or(under.ca_file),
            shared_path: self.shared_path.or(under.shared_path),
            spool: self.spool.or(under.spool),
            spool_size: self.spool_size.or(under.spool_size),
            max_info_size: self.max_info_size.or(under.max_info_size),
            max_unpacked_size: self.max_unpacked_size.or(under.max_unpacked_size),
            report: self.report.or(under.report),
        }
    }
}
