//! Every kind's documentation has an example that is a valid document of the kind.

use config::schema::Shape;

/// The text between ```` ```yaml ```` and ```` ``` ````.
fn example(about: &str) -> String {
    about
        .lines()
        .skip_while(|line| line.trim() != "```yaml")
        .skip(1)
        .take_while(|line| line.trim() != "```")
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn every_kind_has_an_example_that_reads_back_as_written() {
    let schemas = config::Document::schemas();
    assert_eq!(schemas.len(), config::Document::KINDS.len());
    for schema in schemas {
        let Shape::Record(record) = &schema.shape else {
            panic!("{} is a map", schema.kind);
        };
        let text = example(&record.about);
        let documents =
            config::parse("example", text.as_bytes()).unwrap_or_else(|it| panic!("{it}\n{text}"));
        assert_eq!(documents.to_yaml().unwrap(), text);
        let kinds: Vec<_> = documents.iter().map(|it| it.identity().kind).collect();
        assert_eq!(kinds, [schema.kind]);
    }
}

#[test]
fn a_shape_is_what_the_type_says() {
    let schemas = config::Document::schemas();
    let link = schemas.iter().find(|it| it.kind == "Link").unwrap();
    assert_eq!(link.name, Some("name"));
    let Shape::Record(record) = &link.shape else {
        panic!("a Link is a map");
    };
    let fields: Vec<_> = record
        .fields
        .iter()
        .map(|field| (field.name, field.required))
        .collect();
    assert_eq!(
        fields,
        [
            ("name", true),
            ("up", false),
            ("mtu", false),
            ("addresses", false),
            ("routes", false)
        ]
    );
    assert_eq!(
        link.shape.field("mtu"),
        Some(&Shape::Integer {
            least: 68,
            most: 65536
        })
    );
    let Some(Shape::List { of, merge_key, .. }) = link.shape.field("routes") else {
        panic!("routes are a list");
    };
    assert_eq!(*merge_key, Some("to"));
    let Shape::Record(route) = &**of else {
        panic!("a route is a map");
    };
    let metric = route.fields.iter().find(|it| it.name == "metric").unwrap();
    assert_eq!(metric.default, Some(config::DEFAULT_ROUTE_METRIC.into()));
    let trust = schemas.iter().find(|it| it.kind == "ApiTrust").unwrap();
    let key = trust.shape.field("issuer").and_then(|it| it.field("key"));
    assert!(matches!(key, Some(Shape::Text { secret: true, .. })));
}
