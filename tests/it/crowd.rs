//! A group with more members than a directory sends at once.

use std::collections::HashSet;

use serde_json::json;

use crate::support::{Directory, Fixture, GatewayOptions, PEOPLE, Vendor, each, id};

/// Active Directory sends 1,500 values of an attribute at once.
const MEMBERS: usize = 5000;

#[tokio::test]
async fn a_group_of_thousands_is_read_whole_and_changed_by_one_value() {
    let directory = Directory::crowded(MEMBERS);
    let Fixture { scim, gateway, directory } = &Fixture::before(directory, GatewayOptions::default()).await;
    let found =
        scim.query("/Groups", &[("filter", "displayName eq \"crowd\""), ("excludedAttributes", "members")]).await.expect(200);
    let crowd = id(&found["Resources"][0]);
    let path = format!("/Groups/{crowd}");

    let whole: HashSet<String> = scim.members(&crowd).await.into_iter().collect();
    assert_eq!(whole.len(), MEMBERS);
    let last = scim.find("/Users", &format!("userName eq \"member{}@example.com\"", MEMBERS - 1)).await;
    let last = id(&last["Resources"][0]);
    assert!(whole.contains(&last));
    assert_eq!(each(&scim.find("/Groups", &format!("members.value eq \"{last}\"")).await, "displayName"), ["crowd"]);

    let members = async |group: &str| match directory.vendor() {
        Vendor::OpenLdap | Vendor::Ds389 => directory.members(group).await.len(),
        // Counted from the other side, for it sends its administrator no more of a group at once either.
        Vendor::ActiveDirectory => directory.search(PEOPLE, &format!("(memberOf={})", directory.group_dn(group))).await.len(),
    };
    let change = |op: &str| json!([{ "op": op, "path": "members", "value": [{ "value": last }] }]);
    scim.patch(&path, change("remove")).await.expect(204);
    assert_eq!(gateway.operations("modify", "success").await, 1, "{}", gateway.admin("/metrics").await.1);
    let left: HashSet<String> = scim.members(&crowd).await.into_iter().collect();
    assert!(left.len() == MEMBERS - 1 && !left.contains(&last));
    assert_eq!(members("crowd").await, MEMBERS - 1);
    // Once more: it is so already.
    scim.patch(&path, change("remove")).await.expect(204);
    scim.patch(&path, change("add")).await.expect(204);
    scim.patch(&path, change("add")).await.expect(204);
    assert_eq!(scim.members(&crowd).await.len(), MEMBERS);

    // Another name changes nothing of it.
    let rename = json!([{ "op": "replace", "path": "displayName", "value": "masses" }]);
    scim.patch(&path, rename).await.expect(204);
    assert_eq!(scim.members(&crowd).await.len(), MEMBERS);
    assert_eq!(members("masses").await, MEMBERS);
}
