//! Templates: one text per locale, with fallback, rendered strictly.
//!
//! Its own file because a raw placeholder must never reach a phone: a variable without a value is an error that
//! names it, and so is an empty result. What it would cost is `preview`'s; how numbers and times are written `expr`'s.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::expr::{Engine, ExprError, Reader, TEXT_CAP};
use crate::locale;

/// The name of the text that stands in for every locale without its own.
pub const DEFAULT: &str = "default";

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
    /// The text for a locale: itself, then whatever it is a kind of (`fr` for `fr-CA`), then `default`, then the text
    /// of the house's own language.
    pub fn pick(&self, wanted: &str, house: &str) -> Option<(&str, &str)> {
        let find = |name: &str| self.0.iter().find(|(k, _)| k.replace('_', "-").eq_ignore_ascii_case(name)).map(|(k, v)| (k.as_str(), v.as_str()));
        let own = || locale::fallbacks(wanted).iter().find_map(|name| find(name));
        let last = || locale::fallbacks(house).iter().find_map(|name| find(name));
        own().or_else(|| find(DEFAULT)).or_else(last)
    }

    /// Renders for a reader.
    pub fn render(&self, engine: &Engine, reader: &Reader, facts: &serde_json::Value) -> Result<Rendered, TemplateError> {
        let picked = self.pick(&reader.locale, &reader.house);
        let (used, source) = picked.ok_or_else(|| TemplateError::NoLocale { locale: reader.locale.clone() })?;
        let used = used.to_owned();
        match engine.render_for(source.trim_end(), facts, &writes(&used, reader), TEXT_CAP) {
            Err(error) => Err(TemplateError::Render { locale: used, error }),
            Ok(text) if text.trim().is_empty() => Err(TemplateError::Empty { locale: used }),
            Ok(text) => Ok(Rendered { text, locale: used }),
        }
    }
}

/// The reader as the text of a locale addresses her: in its language, and as her own region writes it if that is hers.
pub(crate) fn writes(used: &str, reader: &Reader) -> Reader {
    let text = if used == DEFAULT { reader.house.as_str() } else { used };
    let hers = locale::language(text).eq_ignore_ascii_case(locale::language(&reader.locale));
    Reader { locale: if hers { reader.locale.clone() } else { text.to_owned() }, ..reader.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn template() -> Template {
        let texts = [("default", "Hi {{ name }}"), ("fr", "Bonjour {{ name }}"), ("fr-CA", "Allô {{ name }}"), ("zh_Hant", "你好 {{ name }}"), ("de", " {{ blank }} ")];
        Template(texts.map(|(k, v)| (k.into(), v.into())).into())
    }

    fn reader(locale: &str) -> Reader {
        Reader { locale: locale.into(), zones: Vec::new(), house: "en".into() }
    }

    #[test]
    fn falls_back_by_locale() {
        let engine = Engine::new();
        for (locale, text) in
            [("fr-CA", "Allô Zoë"), ("fr_CA", "Allô Zoë"), ("fr-FR", "Bonjour Zoë"), ("zh-Hant-TW", "你好 Zoë"), ("zh-CN", "Hi Zoë"), ("pt-BR", "Hi Zoë"), ("", "Hi Zoë")]
        {
            assert_eq!(template().render(&engine, &reader(locale), &json!({"name": "Zoë"})).unwrap().text, text, "{locale}");
        }
        let no_default = Template([("en", "Hi"), ("fr", "Bonjour")].map(|(k, v)| (k.into(), v.into())).into());
        assert_eq!(no_default.pick("pt", "en"), Some(("en", "Hi")), "nobody is left without a text");
        assert_eq!(no_default.pick("pt", "nl"), None);
    }

    #[test]
    fn writes_in_the_language_of_the_text() {
        let engine = Engine::new();
        let text = |locale: &str| {
            let template = Template([("default", "{{ 1234.5 | number }}"), ("fr", "{{ 1234.5 | number }}")].map(|(k, v)| (k.into(), v.into())).into());
            template.render(&engine, &reader(locale), &json!({})).unwrap().text
        };
        assert_eq!([text("en-GB"), text("fr-CA"), text("de")], ["1,234.5", "1 234,5", "1,234.5"], "a German reads English numbers in an English text");
    }

    #[test]
    fn never_renders_a_hole() {
        let engine = Engine::new();
        let error = template().render(&engine, &reader("fr"), &json!({})).unwrap_err();
        assert_eq!(error.to_string(), "fr.txt: name is undefined");
        assert!(matches!(template().render(&engine, &reader("de"), &json!({"blank": ""})), Err(TemplateError::Empty { .. })));
        assert!(matches!(Template::default().render(&engine, &reader("de"), &json!({})), Err(TemplateError::NoLocale { .. })));
    }
}
