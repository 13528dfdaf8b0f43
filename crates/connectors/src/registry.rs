//! The one list of connectors: from a kind in configuration to the code that speaks it.
//!
//! Its own file because adding a connector touches its file, its fixtures and a line here, and nothing else.

use secrecy::SecretString;
use trunkline_core::time::Span;

use crate::sms::Provider;
use crate::sms::sinch::Sinch;
use crate::sms::telnyx::Telnyx;
use crate::sms::twilio::Twilio;
use crate::source::Source;
use crate::source::shopify::Shopify;

/// The kinds of provider accounts.
pub const PROVIDERS: [&str; 3] = ["twilio", "telnyx", "sinch"];
/// The kinds of sources that emit webhooks.
pub const SOURCES: [&str; 1] = ["shopify"];

/// What an account's configuration says, secrets resolved.
#[derive(Debug, Clone)]
pub struct AccountSettings {
    /// The account's name.
    pub name: String,
    /// The kind of provider.
    pub provider: String,
    /// The vendor's id of the account.
    pub account_id: String,
    /// Secrets that sign in and sign hooks, newest first.
    pub secrets: Vec<SecretString>,
    /// Secrets of shared signing keys.
    pub signing_keys: Vec<SecretString>,
    /// Where the vendor listens, if not at its usual place.
    pub base_url: Option<String>,
    /// How long one call may take, in real time.
    pub timeout: Span,
}

/// The driver of an account; nothing if the kind is unknown.
pub fn provider(settings: &AccountSettings) -> Option<Box<dyn Provider>> {
    match settings.provider.as_str() {
        "twilio" => Some(Box::new(Twilio {
            name: settings.name.clone(),
            account_sid: settings.account_id.clone(),
            auth_tokens: settings.secrets.clone(),
            shared_keys: settings.signing_keys.clone(),
            base_url: settings.base_url.clone().unwrap_or_else(|| crate::sms::twilio::API.to_owned()),
            timeout: settings.timeout,
        })),
        "telnyx" => Some(Box::new(Telnyx {
            name: settings.name.clone(),
            messaging_profile_id: Some(settings.account_id.clone()).filter(|id| !id.is_empty()),
            api_keys: settings.secrets.clone(),
            public_keys: settings.signing_keys.clone(),
            base_url: settings.base_url.clone().unwrap_or_else(|| crate::sms::telnyx::API.to_owned()),
            timeout: settings.timeout,
        })),
        "sinch" => Some(Box::new(Sinch {
            name: settings.name.clone(),
            service_plan_id: settings.account_id.clone(),
            api_tokens: settings.secrets.clone(),
            hook_secrets: settings.signing_keys.clone(),
            base_url: settings.base_url.clone().unwrap_or_else(|| crate::sms::sinch::API.to_owned()),
            timeout: settings.timeout,
        })),
        _ => None,
    }
}

/// The driver of a source; nothing if the kind is unknown.
pub fn source(kind: &str, secrets: Vec<SecretString>, max_age: Span) -> Option<Box<dyn Source>> {
    match kind {
        "shopify" => Some(Box::new(Shopify { secrets, max_age })),
        _ => None,
    }
}
