//! `[webhooks.NAME]`: what the Canary's webhooks answer, from when on.

use std::collections::{BTreeMap, BTreeSet};

use super::{Reading, escaped};
use crate::diagnostic::{Diagnostic, nearest};
use crate::scenario::model::{
    Action, HookAnswer, HookResult, Manifests, ScenarioEvent, WebhookScript,
};
use crate::scenario::schema::{File, HookOutcomeName, WebhookKeys};
use crate::scenario::units::Time;
use crate::time::Span;

/// What one answer says, in the scenario's words.
struct Said<'a> {
    status: Option<u16>,
    outcome: Option<HookOutcomeName>,
    body: Option<&'a String>,
    latency: Option<Time>,
}

impl Reading<'_> {
    /// All scripts. Each must be that of a hook which the Canary has, at the start or after an edit.
    pub(super) fn webhooks(
        &self,
        file: &File,
        events: &[ScenarioEvent],
        manifests: &Manifests,
        horizon: Span,
    ) -> Result<BTreeMap<String, WebhookScript>, Diagnostic> {
        let edited = events.iter().filter_map(|event| match &event.action {
            Action::Edit { spec, .. } => Some(&**spec),
            _ => None,
        });
        let specs = [&manifests.canary.spec].into_iter().chain(edited);
        let known: BTreeSet<&str> = specs
            .filter_map(|spec| spec.analysis.as_ref())
            .flat_map(|analysis| &analysis.webhooks)
            .map(|hook| hook.name.as_str())
            .collect();
        let mut scripts = BTreeMap::new();
        for (name, keys) in &file.webhooks {
            let pointer = format!("/webhooks/{}", escaped(name));
            if !known.contains(name.as_str()) {
                return Err(self.unknown_hook(&pointer, name, &known));
            }
            scripts.insert(name.clone(), self.script(&pointer, name, keys, horizon)?);
        }
        Ok(scripts)
    }

    fn unknown_hook(&self, pointer: &str, name: &str, known: &BTreeSet<&str>) -> Diagnostic {
        let help = match nearest::nearest(name, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => {
                "it has none; add one to `spec.analysis.webhooks`".to_owned()
            }
            None => {
                let known: Vec<&str> = known.iter().copied().collect();
                format!("it has {}", nearest::listed(&known))
            }
        };
        self.refuse(
            pointer,
            format!("the Canary has no webhook `{}`", name.escape_debug()),
        )
        .help(help)
    }

    fn script(
        &self,
        pointer: &str,
        name: &str,
        keys: &WebhookKeys,
        horizon: Span,
    ) -> Result<WebhookScript, Diagnostic> {
        let mut changes: Vec<_> = keys.changes.iter().enumerate().collect();
        changes.sort_by_key(|(_, change)| change.from.0);
        let start = HookAnswer {
            from: Span::ZERO,
            result: HookResult::Answer {
                status: 200,
                body: String::new(),
            },
            latency: Span::ZERO,
        };
        let said = Said {
            status: keys.status,
            outcome: keys.outcome,
            body: keys.body.as_ref(),
            latency: keys.latency,
        };
        let key = format!("webhooks.{name}");
        let mut answers = vec![self.answer(pointer, &key, start, said)?];
        for (index, change) in changes {
            let pointer = format!("{pointer}/changes/{index}");
            let key = format!("{key}.changes[{index}]");
            self.within_run(
                &format!("{pointer}/from"),
                &format!("{key}.from"),
                change.from.0,
                horizon,
            )?;
            let before = HookAnswer {
                from: change.from.0,
                ..answers[answers.len() - 1].clone()
            };
            let said = Said {
                status: change.status,
                outcome: change.outcome,
                body: change.body.as_ref(),
                latency: change.latency,
            };
            answers.push(self.answer(&pointer, &key, before, said)?);
        }
        Ok(WebhookScript { answers })
    }

    /// An answer: what is said, else as before.
    fn answer(
        &self,
        pointer: &str,
        key: &str,
        before: HookAnswer,
        said: Said<'_>,
    ) -> Result<HookAnswer, Diagnostic> {
        if said.status.is_some() && said.outcome.is_some() {
            return Err(self
                .refuse(pointer, format!("`{key}` has both `status` and `outcome`"))
                .help("one of them says it"));
        }
        if let Some(status) = said.status
            && !(100..600).contains(&status)
        {
            return Err(self
                .refuse(
                    &format!("{pointer}/status"),
                    format!("`{key}.status` must be from 100 to 599, not {status}"),
                )
                .help("200 passes, 403 is a closed gate, 500 is tried again"));
        }
        let answer = |status: u16, default: &str| HookResult::Answer {
            status,
            body: said.body.map_or(default, String::as_str).to_owned(),
        };
        let result = match (said.status, said.outcome) {
            (Some(status), _) => answer(status, ""),
            (_, Some(HookOutcomeName::Passes)) => answer(200, ""),
            (_, Some(HookOutcomeName::Fails)) => answer(403, "Forbidden"),
            (_, Some(HookOutcomeName::Unreachable)) => HookResult::Unreachable,
            (_, Some(HookOutcomeName::TimesOut)) => HookResult::TimesOut,
            (None, None) => match (before.result, said.body) {
                (HookResult::Answer { status, .. }, Some(body)) => HookResult::Answer {
                    status,
                    body: body.clone(),
                },
                (result, _) => result,
            },
        };
        let latency = match said.latency {
            Some(_) => self.delay(&format!("{key}.latency"), said.latency, 0)?,
            None => before.latency,
        };
        Ok(HookAnswer {
            from: before.from,
            result,
            latency,
        })
    }
}
