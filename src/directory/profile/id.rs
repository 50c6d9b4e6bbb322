//! How a directory writes the identifier that an entry keeps for ever. SCIM sees a UUID in every case.

use uuid::Uuid;

/// A form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdForm {
    /// A UUID in its usual text form (RFC 4530).
    Uuid,
    /// 389's: four groups of eight digits.
    NsUniqueId,
    /// Active Directory's: 16 bytes, the first three fields little-endian ([MS-DTYP] section 2.3.4.2).
    ObjectGuid,
}

impl IdForm {
    /// Reads a value; `None` if it is none.
    pub fn read(self, value: &[u8]) -> Option<Uuid> {
        match self {
            Self::Uuid => Uuid::try_parse_ascii(value).ok(),
            Self::NsUniqueId => {
                let parts: Vec<&[u8]> = value.split(|byte| *byte == b'-').collect();
                let whole = parts.len() == 4 && parts.iter().all(|part| part.len() == 8);
                whole.then(|| Uuid::try_parse_ascii(&parts.concat()).ok()).flatten()
            }
            Self::ObjectGuid => value.try_into().ok().map(Uuid::from_bytes_le),
        }
    }

    /// The value, as the directory compares it.
    pub fn write(self, id: Uuid) -> Vec<u8> {
        match self {
            Self::Uuid => id.hyphenated().to_string().into_bytes(),
            Self::NsUniqueId => {
                let digits = id.simple().to_string();
                digits.as_bytes().chunks(8).collect::<Vec<_>>().join(&b'-')
            }
            Self::ObjectGuid => id.to_bytes_le().to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read_as_it_is_written() {
        let id = Uuid::try_parse("f8d9cd01-e457-11f0-8d5d-bf0a00112233").unwrap();
        assert_eq!(IdForm::Uuid.write(id), b"f8d9cd01-e457-11f0-8d5d-bf0a00112233");
        assert_eq!(IdForm::NsUniqueId.write(id), b"f8d9cd01-e45711f0-8d5dbf0a-00112233");
        let guid = [0x01, 0xcd, 0xd9, 0xf8, 0x57, 0xe4, 0xf0, 0x11, 0x8d, 0x5d, 0xbf, 0x0a, 0x00, 0x11, 0x22, 0x33];
        assert_eq!(IdForm::ObjectGuid.write(id), guid);
        for form in [IdForm::Uuid, IdForm::NsUniqueId, IdForm::ObjectGuid] {
            assert_eq!(form.read(&form.write(id)), Some(id));
            for bad in [&b""[..], b"x", b"f8d9cd01e45711f08d5dbf0a0011223", b"f8d9cd01-e45711f0-8d5dbf0a-0011223g"] {
                assert_eq!(form.read(bad), None, "{bad:?}");
            }
        }
        assert_eq!(IdForm::NsUniqueId.read(b"f8d9cd01-e457-11f0-8d5d-bf0a00112233"), None);
    }
}
