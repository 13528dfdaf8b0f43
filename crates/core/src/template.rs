//! Templates: one text per locale, with fallback, rendered strictly.
//!
//! Its own file because a raw placeholder must never reach a phone: a variable without a value is an error that
//! names it, and so is an empty result. Plurals and localized dates are not here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::expr::{Engine, ExprError, TEXT_CAP};

/// The texts of one template by locale (`en`, `fr-CA`, `default`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template(pub BTreeMap<String, String>);

/// A rendered text and the locale it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// The locale that was used.
    pub locale: String,
}

/// Why nothing was rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// No text for the locale nor any fallback.
    #[error("has no text for locale '{locale}' and no default: add {locale}.txt or default.txt")]
    NoLocale {
        /// The locale asked for.
        locale: String,
    },
    /// The text could not be rendered.
    #[error("{locale}.txt: {error}")]
    Render {
        /// The locale used.
        locale: String,
        /// What is wrong.
        error: ExprError,
    },
    /// The text is empty.
    #[error("{locale}.txt: the rendered text is empty")]
    Empty {
        /// The locale used.
        locale: String,
    },
}

impl Template {
    /// The text for a locale: itself, then its language, then `default`.
    pub fn pick(&self, locale: &str) -> Option<(&str, &str)> {
        let wanted = locale.replace('_', "-");
        let language = wanted.split('-').next().unwrap_or_default();
        let find = |name: &str| self.0.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(k, v)| (k.as_str(), v.as_str()));
        find(&wanted).or_else(|| find(language)).or_else(|| find("default"))
    }

    /// Renders for a locale.
    pub fn render(&self, engine: &Engine, locale: &str, facts: &serde_json::Value) -> Result<Rendered, TemplateError> {
        let (used, source) = self.pick(locale).ok_or_else(|| TemplateError::NoLocale { locale: locale.to_owned() })?;
        let used = used.to_owned();
        match engine.render(source.trim_end(), facts, TEXT_CAP) {
            Err(error) => Err(TemplateError::Render { locale: used, error }),
            Ok(text) if text.trim().is_empty() => Err(TemplateError::Empty { locale: used }),
            Ok(text) => Ok(Rendered { text, locale: used }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn template() -> Template {
        Template([("default", "Hi {{ name }}"), ("fr", "Bonjour {{ name }}"), ("fr-CA", "Allô {{ name }}"), ("de", " {{ blank }} ")].map(|(k, v)| (k.into(), v.into())).into())
    }

    #[test]
    fn falls_back_by_locale() {
        let engine = Engine::new();
        for (locale, text) in [("fr-CA", "Allô Zoë"), ("fr_CA", "Allô Zoë"), ("fr-FR", "Bonjour Zoë"), ("pt-BR", "Hi Zoë"), ("", "Hi Zoë")] {
            assert_eq!(template().render(&engine, locale, &json!({"name": "Zoë"})).unwrap().text, text, "{locale}");
        }
    }

    #[test]
    fn never_renders_a_hole() {
        let engine = Engine::new();
        let error = template().render(&engine, "fr", &json!({})).unwrap_err();
        assert_eq!(error.to_string(), "fr.txt: name is undefined");
        assert!(matches!(template().render(&engine, "de", &json!({"blank": ""})), Err(TemplateError::Empty { .. })));
        assert!(matches!(Template::default().render(&engine, "de", &json!({})), Err(TemplateError::NoLocale { .. })));
    }
}
