//! A WooCommerce secret as it goes into the HMAC: WordPress decodes HTML entities in it first, once and only some.

/// The entities by name.
const NAMED: [(&str, char); 4] = [("quot", '"'), ("lt", '<'), ("gt", '>'), ("amp", '&')];
/// Those by decimal number.
const DECIMAL: [(&str, char); 5] = [("39", '\''), ("34", '"'), ("60", '<'), ("62", '>'), ("38", '&')];
/// Those by hexadecimal number; there is none for `<` and `>`.
const HEXADECIMAL: [(&str, char); 3] = [("27", '\''), ("22", '"'), ("26", '&')];

/// What WordPress makes of a secret (`wp_specialchars_decode` with `ENT_QUOTES`).
pub(super) fn decode(secret: &str) -> String {
    let mut decoded = String::with_capacity(secret.len());
    let mut rest = secret;
    while let Some(at) = rest.find('&') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.split_once(';').and_then(|(entity, after)| Some((character(entity)?, after))) {
            Some((character, after)) => {
                decoded.push(character);
                // What is decoded is not looked at again: `&amp;lt;` becomes `&lt;`.
                rest = after;
            }
            None => decoded.push('&'),
        }
    }
    decoded.push_str(rest);
    decoded
}

fn character(entity: &str) -> Option<char> {
    let (table, name): (&[(&str, char)], &str) = match entity.strip_prefix('#') {
        None => (&NAMED, entity),
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(digits) => (&HEXADECIMAL, digits.trim_start_matches('0')),
            None => (&DECIMAL, number.trim_start_matches('0')),
        },
    };
    table.iter().find(|(known, _)| *known == name).map(|(_, character)| *character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entities_that_wordpress_decodes_are_decoded_once() {
        for (secret, key) in [
            ("plain", "plain"),
            ("a&amp;b", "a&b"),
            ("&quot;&lt;&gt;&#039;&#39;&#00039;&#x27;&#X027;&#x26;&#038;", "\"<>'''''&&"),
            ("&amp;lt;", "&lt;"),
            ("&amp;amp;amp;", "&amp;amp;"),
            ("&;&x;&lt&gt;&", "&;&x;&lt>&"),
            ("&&amp;&", "&&&"),
            ("&apos;&#x3c;&#60 ;&LT;&nbsp;", "&apos;&#x3c;&#60 ;&LT;&nbsp;"),
        ] {
            assert_eq!(decode(secret), key, "{secret}");
        }
    }
}
