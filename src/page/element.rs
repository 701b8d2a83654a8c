//! Elements as values, and functions that make the page match them.
//!
//! `show` compares the wanted elements with those on the page and changes only what differs: an element that stays
//! keeps its focus, its selection and what the visitor is typing. Text and attributes go through the DOM, so nothing
//! needs escaping.

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Document, HtmlInputElement, Node};

use super::dom;

/// An element with its attributes and children.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    tag: &'static str,
    attributes: Vec<(&'static str, String)>,
    children: Vec<Child>,
}

#[derive(Clone, Debug, PartialEq)]
enum Child {
    Element(Element),
    Text(String),
}

/// The attribute that tells elements of a list apart when some are removed.
const KEY: &str = "data-key";

/// An empty element.
pub fn element(tag: &'static str) -> Element {
    Element { tag, attributes: Vec::new(), children: Vec::new() }
}

/// An element that contains text.
pub fn text(tag: &'static str, text: impl Into<String>) -> Element {
    element(tag).text(text)
}

/// The header cell of a table row.
pub fn row_head(words: impl Into<String>) -> Element {
    text("th", words).with("scope", "row")
}

impl Element {
    /// With an attribute.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    /// With a key that identifies it when other elements of its list are removed.
    pub fn key(self, key: impl Into<String>) -> Self {
        self.with(KEY, key)
    }

    /// With text after its other children.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.children.push(Child::Text(text.into()));
        self
    }

    /// With another child.
    pub fn child(mut self, child: Element) -> Self {
        self.children.push(Child::Element(child));
        self
    }

    /// With more children.
    pub fn children(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        self.children.extend(children.into_iter().map(Child::Element));
        self
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|attribute| attribute.0 == name).map(|attribute| attribute.1.as_str())
    }
}

/// Makes `children` the children of element `id`.
pub fn show(id: &str, children: impl IntoIterator<Item = Element>) {
    let children: Vec<Child> = children.into_iter().map(Child::Element).collect();
    if let (Some(document), Some(parent)) = (dom::document(), dom::element::<web_sys::Element>(id)) {
        // This fails only in a broken document; the next draw tries again.
        let _ = show_children(&document, &parent, &children);
    }
}

fn show_children(document: &Document, parent: &Node, children: &[Child]) -> Result<(), JsValue> {
    remove_missing_keys(parent, children)?;
    for (place, child) in children.iter().enumerate() {
        let here = parent.child_nodes().item(place as u32);
        match child {
            Child::Text(words) => show_text(parent, here.as_ref(), words)?,
            Child::Element(wanted) => {
                let same = |node: &Node| {
                    let element = node.dyn_ref::<web_sys::Element>();
                    element.is_some_and(|element| {
                        element.local_name() == wanted.tag
                            && element.get_attribute(KEY).as_deref() == wanted.attribute(KEY)
                    })
                };
                let node = match here.filter(same) {
                    Some(node) => node,
                    None => {
                        let fresh = document.create_element(wanted.tag)?;
                        parent.insert_before(&fresh, parent.child_nodes().item(place as u32).as_ref())?
                    }
                };
                show_attributes(node.unchecked_ref(), wanted)?;
                show_children(document, &node, &wanted.children)?;
            }
        }
    }
    while let Some(extra) = parent.child_nodes().item(children.len() as u32) {
        parent.remove_child(&extra)?;
    }
    Ok(())
}

/// Makes `words` the text at the position of `here`.
fn show_text(parent: &Node, here: Option<&Node>, words: &str) -> Result<(), JsValue> {
    match here {
        Some(node) if node.node_type() == Node::TEXT_NODE => {
            if node.node_value().as_deref() != Some(words) {
                node.set_node_value(Some(words));
            }
            Ok(())
        }
        Some(element) => element.unchecked_ref::<web_sys::Element>().insert_adjacent_text("beforebegin", words),
        None => parent.unchecked_ref::<web_sys::Element>().insert_adjacent_text("beforeend", words),
    }
}

/// Elements whose key is no longer wanted go first, so that the others stay where they are.
fn remove_missing_keys(parent: &Node, children: &[Child]) -> Result<(), JsValue> {
    let nodes = parent.child_nodes();
    for place in (0..nodes.length()).rev() {
        let Some(node) = nodes.item(place) else { continue };
        let Some(key) = node.dyn_ref::<web_sys::Element>().and_then(|element| element.get_attribute(KEY)) else {
            continue;
        };
        let wanted = |child: &Child| matches!(child, Child::Element(e) if e.attribute(KEY) == Some(key.as_str()));
        if !children.iter().any(wanted) {
            parent.remove_child(&node)?;
        }
    }
    Ok(())
}

fn show_attributes(node: &web_sys::Element, wanted: &Element) -> Result<(), JsValue> {
    // Other attributes stay in place: elements that are used again have the same ones.
    if wanted.attribute("class").is_none() && node.has_attribute("class") {
        node.remove_attribute("class")?;
    }
    for (name, value) in &wanted.attributes {
        if *name == "style" {
            super::dom::set_style(node, value);
        } else if node.get_attribute(name).as_deref() != Some(value) {
            node.set_attribute(name, value)?;
        }
        // The attribute is only an input's initial value. The text of an input that the visitor is editing stays.
        if let (&"value", Some(input)) = (name, node.dyn_ref::<HtmlInputElement>())
            && input.value() != *value
            && !dom::has_focus(node)
        {
            input.set_value(value);
        }
    }
    Ok(())
}
