//! `[[traffic.classes]]`: kinds of requests, checked against the Ingresses and versions.

use std::collections::{BTreeMap, BTreeSet};

use super::Reading;
use crate::diagnostic::{Diagnostic, nearest};
use crate::k8s::Ingress;
use crate::scenario::model::{RequestClass, Version};
use crate::scenario::schema::{ClassKeys, File};

/// Most classes: each has series of its own.
const MAX_CLASSES: usize = 16;
/// Most users of a class.
const MAX_USERS: u32 = 1_000_000;

impl Reading<'_> {
    /// All classes, in the order they were written.
    pub(super) fn classes(&self, file: &File) -> Result<Vec<RequestClass>, Diagnostic> {
        let keys = &file.traffic.classes;
        if keys.len() > MAX_CLASSES {
            return Err(self
                .refuse(
                    "/traffic/classes",
                    format!(
                        "`traffic.classes` must have at most {MAX_CLASSES} classes, not {}",
                        keys.len()
                    ),
                )
                .help("put requests that are treated alike into one class"));
        }
        let total: f64 = keys.iter().map(|class| class.weight.unwrap_or(1.0)).sum();
        let mut names = BTreeSet::new();
        let mut classes = Vec::new();
        for (index, class) in keys.iter().enumerate() {
            let pointer = format!("/traffic/classes/{index}");
            if !names.insert(&class.name) {
                return Err(self
                    .refuse(
                        &format!("{pointer}/name"),
                        format!("there is another class `{}`", class.name.escape_debug()),
                    )
                    .help("give each class a name of its own"));
            }
            classes.push(self.class(&pointer, class, total)?);
        }
        Ok(classes)
    }

    fn class(
        &self,
        pointer: &str,
        keys: &ClassKeys,
        total: f64,
    ) -> Result<RequestClass, Diagnostic> {
        let named = format!("traffic.classes.{}", keys.name.escape_debug());
        let weight = keys.weight.unwrap_or(1.0);
        if !(weight >= 0.0 && total > 0.0 && total.is_finite()) {
            return Err(self
                .refuse(
                    pointer,
                    format!("`{named}.weight` must be 0 or more, and some class' above 0"),
                )
                .help("weights of 9 and 1 are 90 % and 10 %"));
        }
        let method = keys.method.as_deref().unwrap_or("GET");
        if method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(self
                .refuse(
                    &format!("{pointer}/method"),
                    format!(
                        "`{named}.method` is not an HTTP method: \"{}\"",
                        method.escape_debug()
                    ),
                )
                .help("write it in capitals: \"GET\", \"POST\""));
        }
        let path = keys.path.as_deref().unwrap_or("/");
        if !path.starts_with('/') {
            return Err(self
                .refuse(
                    &format!("{pointer}/path"),
                    format!("`{named}.path` must start with \"/\""),
                )
                .help("write the path without host: \"/cart\""));
        }
        if let Some(users) = keys.users
            && !(1..=MAX_USERS).contains(&users)
        {
            return Err(self
                .refuse(
                    &format!("{pointer}/users"),
                    format!("`{named}.users` must be from 1 to {MAX_USERS}, not {users}"),
                )
                .help("leave it out where nobody keeps cookies"));
        }
        let lower = |(name, value): (&String, &String)| (name.to_ascii_lowercase(), value.clone());
        Ok(RequestClass {
            name: keys.name.clone(),
            weight: weight / total,
            method: method.to_owned(),
            path: path.to_owned(),
            host: keys.host.clone(),
            headers: keys.headers.iter().map(lower).collect(),
            cookies: keys.cookies.clone(),
            users: keys.users,
        })
    }

    /// Refuses a class that no version can mean, and one that no Ingress leads to the pods.
    pub(super) fn classes_fit(
        &self,
        classes: &[RequestClass],
        versions: &BTreeMap<String, Version>,
        ingresses: &[Ingress],
    ) -> Result<(), Diagnostic> {
        let names: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
        for (version, behaviour) in versions.iter().map(|(n, v)| (n, &v.behaviour)) {
            let unknown = (behaviour.classes.keys()).find(|name| !names.contains(&name.as_str()));
            if let Some(unknown) = unknown {
                let pointer = format!(
                    "/versions/{}/classes/{}",
                    super::escaped(version),
                    super::escaped(unknown)
                );
                let help = match nearest::nearest(unknown, names.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "name a class of `[[traffic.classes]]`".to_owned(),
                };
                let message = format!("there is no class `{}`", unknown.escape_debug());
                return Err(self.refuse(&pointer, message).help(help));
            }
        }
        let hosts: Vec<&str> = ingresses.iter().flat_map(|i| i.hosts()).flatten().collect();
        for (index, class) in classes.iter().enumerate() {
            if let Some(host) = &class.host
                && !hosts.contains(&host.as_str())
            {
                return Err(self
                    .refuse(
                        &format!("/traffic/classes/{index}/host"),
                        format!("no Ingress has the host `{}`", host.escape_debug()),
                    )
                    .help(format!(
                        "nginx would answer 404: {} can be named, or add an Ingress",
                        nearest::listed(&hosts)
                    )));
            }
        }
        Ok(())
    }
}
