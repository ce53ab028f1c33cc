//! From a row file's text to rows. Reports the file and the line of what it does not understand.

/// A section with all of its rows, from one file or several.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) width: u32,
    /// What its rows need that do not say.
    needs: Vec<String>,
    pub(crate) lines: Vec<Line>,
}

/// One row as written.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) file: String,
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) mask: u32,
    pub(crate) value: u32,
    pub(crate) should: u32,
    pub(crate) preferred: u32,
    pub(crate) fields: Vec<Named>,
    pub(crate) constraints: Vec<Condition>,
    pub(crate) format: Vec<Text>,
    /// The format as it is written.
    pub(crate) text: String,
    /// Features that a processor must have.
    pub(crate) needs: Vec<String>,
}

/// A field: parts of (least significant bit, width), high first; none for a constant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) parts: Vec<(u8, u8)>,
    pub(crate) constant: u32,
}

/// A constraint over fields by their position.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    In(usize, Vec<u32>),
    NotIn(usize, Vec<u32>),
    Below(usize, u32),
    AtLeast(usize, u32),
    Same(usize, usize),
    Differ(usize, usize),
}

/// A piece of a format over fields by their position.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Text {
    Literal(String),
    Decimal(usize),
    Hex(usize),
    Kind(Option<usize>, String),
    Choice(usize, Vec<String>),
}

/// The row name that makes a hole.
const HOLE: &str = "undefined";
/// `@none`: no feature, where the section asks for one.
const NONE: &str = "none";

/// Adds one file's rows to the sections.
pub(crate) fn file(name: &str, text: &str, sections: &mut Vec<Section>) -> Result<(), String> {
    let mut open = None;
    for (i, line) in text.lines().enumerate() {
        let number = i as u32 + 1;
        let line = uncommented(line).trim();
        let at = |e: String| format!("{name}:{number}: {e}");
        if line.is_empty() {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            open = Some(section(header, sections).map_err(at)?);
            continue;
        }
        let section = &mut sections[open.ok_or_else(|| at("a row before the first [section]".into()))?];
        let mut row = row(line, section.width).map_err(at)?;
        (row.file, row.number) = (name.into(), number);
        if row.needs.is_empty() {
            row.needs.clone_from(&section.needs);
        }
        row.needs.retain(|f| f != NONE);
        section.lines.push(row);
    }
    Ok(())
}

/// Cuts a `#` comment; a `#` inside a format is not one.
fn uncommented(line: &str) -> &str {
    let mut quoted = false;
    for (i, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted => return &line[..i],
            _ => {}
        }
    }
    line
}

fn section(header: &str, sections: &mut Vec<Section>) -> Result<usize, String> {
    let inner = header.strip_suffix(']').ok_or("a section header ends with ]")?;
    let (inner, features) = inner.split_once(" @").unwrap_or((inner, ""));
    let needs: Vec<String> = features.split(" @").filter(|f| !f.is_empty()).map(feature).collect::<Result<_, _>>()?;
    let (name, width) = inner.split_once(" width=").ok_or("a section header is [name width=N @feature...]")?;
    let width: u32 = width.trim().parse().map_err(|_| "the width is not a number")?;
    if !(1..=32).contains(&width) {
        return Err("the width is 1 to 32".into());
    }
    if let Some(i) = sections.iter().position(|s| s.name == name.trim()) {
        let same = sections[i].width == width && sections[i].needs == needs;
        return if same { Ok(i) } else { Err("the section had another width or other features before".into()) };
    }
    sections.push(Section { name: name.trim().into(), width, needs, lines: vec![] });
    Ok(sections.len() - 1)
}

fn feature(name: &str) -> Result<String, String> {
    let good = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if good { Ok(name.into()) } else { Err(format!("feature `{name}` is not a lower-case name")) }
}

fn row(line: &str, width: u32) -> Result<Line, String> {
    let (name, rest) = line.split_once(char::is_whitespace).ok_or("a row is: name pattern \"format\"")?;
    if !name.starts_with(|c: char| c.is_ascii_lowercase())
        || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    {
        return Err(format!("row name `{name}` is not a lower-case Rust name"));
    }
    let (bits, rest) = if name == HOLE && !rest.contains('"') {
        rest.split_at(rest.find('?').unwrap_or(rest.len()))
    } else {
        rest.split_once('"').ok_or("the format, in quotes, is missing")?
    };
    let (format, rest) =
        if name == HOLE { ("", rest) } else { rest.split_once('"').ok_or("the format does not end")? };
    let mut row = pattern(bits, width)?;
    row.name = name.into();
    for word in rest.split_whitespace() {
        match (word.strip_prefix('?'), word.strip_prefix('@')) {
            (Some(condition), _) => row.constraints.push(constraint(condition, &row.fields)?),
            (_, Some(name)) => row.needs.push(feature(name)?),
            _ => row.fields.push(constant(word, &row.fields)?),
        }
    }
    row.format = pieces(format, &row.fields)?;
    row.text = format.into();
    Ok(row)
}

fn pattern(text: &str, width: u32) -> Result<Line, String> {
    let chars: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    if chars.len() != width as usize {
        return Err(format!("the pattern has {} positions, not {width}", chars.len()));
    }
    let (mut mask, mut value, mut should, mut preferred) = (0u32, 0u32, 0u32, 0u32);
    let mut fields: Vec<Named> = vec![];
    for (i, &c) in chars.iter().enumerate() {
        let lsb = width as u8 - 1 - i as u8;
        let bit = 1 << lsb;
        match c {
            '0' => mask |= bit,
            '1' => (mask, value) = (mask | bit, value | bit),
            '.' => {}
            '-' => should |= bit,
            '+' => (should, preferred) = (should | bit, preferred | bit),
            c if c.is_ascii_alphabetic() => extend(&mut fields, c, lsb, i > 0 && chars[i - 1] == c),
            c => return Err(format!("`{c}` is not allowed in a pattern")),
        }
    }
    let (constraints, format, needs) = (vec![], vec![], vec![]);
    let (file, name, text) = (String::new(), String::new(), String::new());
    Ok(Line { file, number: 0, name, mask, value, should, preferred, fields, constraints, format, text, needs })
}

/// Adds a bit below the field's others; `adjacent` if the position before has the same letter.
fn extend(fields: &mut Vec<Named>, letter: char, lsb: u8, adjacent: bool) {
    let name = letter.to_string();
    let Some(field) = fields.iter_mut().find(|f| f.name == name) else {
        fields.push(Named { name, parts: vec![(lsb, 1)], constant: 0 });
        return;
    };
    match field.parts.last_mut() {
        Some(last) if adjacent => *last = (lsb, last.1 + 1),
        _ => field.parts.push((lsb, 1)),
    }
}

fn constant(word: &str, fields: &[Named]) -> Result<Named, String> {
    let (name, value) =
        word.split_once('=').ok_or_else(|| format!("`{word}` is neither ?constraint nor name=number"))?;
    if fields.iter().any(|f| f.name == name) {
        return Err(format!("field `{name}` is there already (a constraint begins with ?)"));
    }
    Ok(Named { name: name.into(), parts: vec![], constant: integer(value)? })
}

fn constraint(text: &str, fields: &[Named]) -> Result<Condition, String> {
    let at = text.find(['=', '!', '<', '>']).ok_or_else(|| format!("constraint `{text}` has no operator"))?;
    let field = lookup(&text[..at], fields)?;
    let parts: Vec<&str> = ["!=", ">=", "=", "<"].into_iter().filter(|o| text[at..].starts_with(o)).take(1).collect();
    let &[op] = &parts[..] else { return Err(format!("constraint `{text}`: operators are = != < >=")) };
    let right = &text[at + op.len()..];
    if let (Ok(other), "=" | "!=") = (lookup(right, fields), op) {
        return Ok(if op == "=" { Condition::Same(field, other) } else { Condition::Differ(field, other) });
    }
    let list: Vec<u32> = right.split('|').map(integer).collect::<Result<_, _>>()?;
    let width: u8 = fields[field].parts.iter().map(|p| p.1).sum();
    if let Some(n) = list.iter().find(|&&n| u64::from(n) >> width != 0) {
        return Err(format!("constraint `{text}`: {n} does not fit the field's {width} bits"));
    }
    Ok(match op {
        "=" => Condition::In(field, list),
        "!=" => Condition::NotIn(field, list),
        "<" => Condition::Below(field, list[0]),
        _ => Condition::AtLeast(field, list[0]),
    })
}

fn integer(text: &str) -> Result<u32, String> {
    let (digits, radix) = match text.get(..2) {
        Some("0x") => (&text[2..], 16),
        Some("0b") => (&text[2..], 2),
        _ => (text, 10),
    };
    u32::from_str_radix(digits, radix).map_err(|_| format!("`{text}` is not a number"))
}

fn lookup(name: &str, fields: &[Named]) -> Result<usize, String> {
    fields.iter().position(|f| f.name == name).ok_or_else(|| format!("no field `{name}` in this row"))
}

fn pieces(format: &str, fields: &[Named]) -> Result<Vec<Text>, String> {
    let mut out = vec![];
    let mut literal = String::new();
    let mut rest = format;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("{{") || rest.starts_with("}}") {
            literal.push(c);
            rest = &rest[2..];
        } else if c == '{' {
            let end = rest.find('}').ok_or("a { without } in the format")?;
            if !literal.is_empty() {
                out.push(Text::Literal(std::mem::take(&mut literal)));
            }
            out.push(piece(&rest[1..end], fields)?);
            rest = &rest[end + 1..];
        } else {
            literal.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    if !literal.is_empty() {
        out.push(Text::Literal(literal));
    }
    Ok(out)
}

fn piece(text: &str, fields: &[Named]) -> Result<Text, String> {
    if let Some((name, texts)) = text.split_once('?') {
        return Ok(Text::Choice(lookup(name, fields)?, texts.split('|').map(String::from).collect()));
    }
    Ok(match text.split_once(':') {
        None => Text::Decimal(lookup(text, fields)?),
        Some((name, "#")) => Text::Hex(lookup(name, fields)?),
        Some(("", kind)) => Text::Kind(None, kind.into()),
        Some((name, kind)) => Text::Kind(Some(lookup(name, fields)?), kind.into()),
    })
}

impl Named {
    /// The field's bits in the word.
    pub(crate) fn bits(&self) -> u32 {
        self.parts.iter().fold(0, |m, &(lsb, width)| m | (((1u64 << width) - 1) << lsb) as u32)
    }

    /// The field's value in a word.
    pub(crate) fn of(&self, word: u32) -> u32 {
        self.parts
            .iter()
            .fold(self.constant, |v, &(lsb, w)| ((u64::from(v) << w) as u32) | (word >> lsb) & ((1u64 << w) - 1) as u32)
    }
}

impl Condition {
    /// The fields it looks at.
    fn fields(&self) -> Vec<usize> {
        match *self {
            Condition::In(f, _) | Condition::NotIn(f, _) | Condition::Below(f, _) | Condition::AtLeast(f, _) => vec![f],
            Condition::Same(f, g) | Condition::Differ(f, g) => vec![f, g],
        }
    }

    fn holds(&self, word: u32, fields: &[Named]) -> bool {
        let of = |f: usize| fields[f].of(word);
        match self {
            Condition::In(f, set) => set.contains(&of(*f)),
            Condition::NotIn(f, set) => !set.contains(&of(*f)),
            Condition::Below(f, n) => of(*f) < *n,
            Condition::AtLeast(f, n) => of(*f) >= *n,
            Condition::Same(f, g) => of(*f) == of(*g),
            Condition::Differ(f, g) => of(*f) != of(*g),
        }
    }
}

impl Line {
    /// The bits that its constraints look at.
    pub(crate) fn constrained(&self) -> u32 {
        let fields = self.constraints.iter().flat_map(Condition::fields);
        fields.fold(0, |m, f| m | self.fields[f].bits())
    }

    /// Whether it takes words away instead of giving them a meaning.
    pub(crate) fn is_hole(&self) -> bool {
        self.name == HOLE
    }

    /// Whether a word is one of its encodings.
    pub(crate) fn matches(&self, word: u32) -> bool {
        word & self.mask == self.value && self.constraints.iter().all(|c| c.holds(word, &self.fields))
    }
}

#[cfg(test)]
pub(crate) fn section_of(text: &str) -> Result<Section, String> {
    let mut sections = vec![];
    file("test", text, &mut sections)?;
    Ok(sections.remove(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_field_is_concatenated_high_part_first() {
        let s = section_of("[t width=8]\nrow ii 1 nn iii \"{i} {n}\"").unwrap();
        let row = &s.lines[0];
        assert_eq!(row.fields[0].parts, [(6, 2), (0, 3)]);
        assert_eq!(row.fields[0].of(0b1010_1011), 0b1_0011);
        assert_eq!((row.mask, row.value), (0x20, 0x20));
    }

    #[test]
    fn ignored_bits_are_not_fixed() {
        let s = section_of("[t width=8]\nrow 01 - + .. nn \"\"").unwrap();
        let row = &s.lines[0];
        assert_eq!((row.mask, row.value, row.should, row.preferred), (0xc0, 0x40, 0x30, 0x10));
    }

    #[test]
    fn errors_name_the_line() {
        let error = |text: &str| section_of(text).unwrap_err();
        assert!(error("[t width=8]\n\nrow 0101 \"\"").starts_with("test:3: the pattern has 4 positions, not 8"));
        assert!(error("row 0101 \"\"").contains("before the first [section]"));
        assert!(error("[t width=4]\nrow 01nn \"\" ?n=4").contains("does not fit"));
        assert!(error("[t width=4]\nrow 01nn \"{m}\"").contains("no field `m`"));
        assert!(error("[t width=4]\nRow 01nn \"\"").contains("lower-case"));
        assert!(error("[t width=4]\nrow 01nn \"\" ?n~4").contains("operator"));
        assert!(error("[t width=4]\nrow 01nn \"\" @V6").contains("lower-case"));
    }

    #[test]
    fn features_of_rows_and_sections() {
        let s = section_of("[t width=4 @new @newer]\na 01nn \"\"\nb 10nn \"\" @old\nc 11nn \"\" @none").unwrap();
        let needs: Vec<&[String]> = s.lines.iter().map(|l| &l.needs[..]).collect();
        assert_eq!(needs, [&["new".to_owned(), "newer".to_owned()][..], &["old".to_owned()], &[]]);
    }

    #[test]
    fn formats_and_comments() {
        let s = section_of("[t width=4]\nrow s1nn \"a{s?s} #{n:#}, {:m}{{{s?x|y}}}\" ?n!=1|2 k=3 # text").unwrap();
        let row = &s.lines[0];
        let expected = [
            Text::Literal("a".into()),
            Text::Choice(0, vec!["s".into()]),
            Text::Literal(" #".into()),
            Text::Hex(1),
            Text::Literal(", ".into()),
            Text::Kind(None, "m".into()),
            Text::Literal("{".into()),
            Text::Choice(0, vec!["x".into(), "y".into()]),
            Text::Literal("}".into()),
        ];
        assert_eq!(row.format, expected);
        assert_eq!(row.fields[2], Named { name: "k".into(), parts: vec![], constant: 3 });
        assert!(row.matches(0b0100) && !row.matches(0b0101));
    }
}
