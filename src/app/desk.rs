//! What the console is shown of a configuration.

use crate::admin::{Desk, Kept, Listed};
use crate::config::Config;

pub(super) fn desk(config: &Config) -> Desk {
    let made = |kept: &Option<Kept>, digest: &[u8; 32]| {
        let state = &kept.as_ref()?.state;
        let hashes = state.keys.iter().map(|key| key.hash).chain(state.clients.iter().map(|client| client.hash));
        hashes.into_iter().find(|hash| hash.0 == *digest).map(|hash| hash.mark())
    };
    let kept = &config.admin.kept;
    let keys = config.auth.api_keys.iter().map(|key| Listed {
        name: key.name.clone(),
        scopes: key.scopes,
        expires: key.expires,
        mark: made(kept, &key.digest),
    });
    let clients = config.auth.oauth.iter().flat_map(|oauth| &oauth.clients).map(|client| Listed {
        name: client.id.clone(),
        scopes: client.scopes,
        expires: None,
        mark: made(kept, &client.digest),
    });
    Desk {
        base_url: config.base_url(),
        token_endpoint: config.token_endpoint(),
        enabled: config.server.enabled,
        existing_users: config.mapping.existing_users,
        sync_groups: config.mapping.groups_sync,
        set: config.admin.set.clone(),
        kept: kept.clone(),
        hosts: config.admin.hosts.clone(),
        keys: keys.collect(),
        clients: clients.collect(),
    }
}
