//! What a controller reads and writes, said in its type.
//!
//! [`declare!`](macro@crate::declare) writes three things for a controller: the constants the runtime builds its graph from,
//! and the markers [`Reads`] and [`Writes`], without which reading or writing a kind does not compile. The namespace is
//! data, so a namespace that was not declared is refused at run time.

use store::Spec;

/// How a controller takes part in an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InputKind {
    /// It is woken by changes.
    Weak,
    /// The same, and it may hold resources against destruction.
    Strong,
}

/// One kind of resources a controller is woken by and may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Input {
    /// Where.
    pub namespace: &'static str,
    /// The type's full name.
    pub ty: &'static str,
    /// How.
    pub kind: InputKind,
}

impl Input {
    /// Woken by changes of `S`.
    #[must_use]
    pub const fn weak<S: Spec>(namespace: &'static str) -> Self {
        Self {
            namespace,
            ty: S::DEFINITION.ty,
            kind: InputKind::Weak,
        }
    }

    /// Woken by changes of `S`, and may hold them.
    #[must_use]
    pub const fn strong<S: Spec>(namespace: &'static str) -> Self {
        Self {
            namespace,
            ty: S::DEFINITION.ty,
            kind: InputKind::Strong,
        }
    }
}

/// Who else may write an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutputKind {
    /// Nobody.
    Exclusive,
    /// Others that say the same; each owns its own resources.
    Shared,
}

/// One kind of resources a controller writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Output {
    /// Where.
    pub namespace: &'static str,
    /// The type's full name.
    pub ty: &'static str,
    /// With whom.
    pub kind: OutputKind,
}

impl Output {
    /// The only writer of `S` in the namespace.
    #[must_use]
    pub const fn exclusive<S: Spec>(namespace: &'static str) -> Self {
        Self {
            namespace,
            ty: S::DEFINITION.ty,
            kind: OutputKind::Exclusive,
        }
    }

    /// One of several writers of `S` in the namespace.
    #[must_use]
    pub const fn shared<S: Spec>(namespace: &'static str) -> Self {
        Self {
            namespace,
            ty: S::DEFINITION.ty,
            kind: OutputKind::Shared,
        }
    }
}

/// A controller's place in the graph; written by [`declare!`](macro@crate::declare).
pub trait Declare: Send + 'static {
    /// Its name: the owner of everything it writes, dotted, `network.address.merge`.
    const NAME: &'static str;
    /// What it is woken by.
    const INPUTS: &'static [Input];
    /// What it writes.
    const OUTPUTS: &'static [Output];
}

/// The controller declared `S` as an input; written by [`declare!`](macro@crate::declare).
pub trait Reads<S: Spec>: Declare {
    /// The first namespace it declared.
    const NAMESPACE: &'static str;
}

/// The controller may hold resources of `S` against destruction; written by [`declare!`](macro@crate::declare).
pub trait Holds<S: Spec>: Reads<S> {}

/// The controller declared `S` as an output; written by [`declare!`](macro@crate::declare).
pub trait Writes<S: Spec>: Declare {
    /// The first namespace it declared.
    const NAMESPACE: &'static str;
}

/// Says a controller's name, inputs and outputs.
///
/// One line per type; without a namespace the type's default one is meant, several are separated by commas.
///
/// - `reads T;` is woken by changes of `T`;
/// - `holds T;` the same, and may keep a `T` from being destroyed;
/// - `writes T;` is the only writer of `T` in that namespace;
/// - `shares T;` is one of several writers.
///
/// ```
/// # use cosi::status::{ControllerStatus, RuntimeStatus};
/// struct Census;
///
/// cosi::declare! {
///     Census as "runtime.census" {
///         reads ControllerStatus;
///         reads RuntimeStatus: "runtime", "elsewhere";
///         writes RuntimeStatus: "census";
///     }
/// }
/// ```
///
/// What was not declared cannot be read or written:
///
/// ```compile_fail,E0277
/// # use cosi::status::{ControllerStatus, RuntimeStatus};
/// # use cosi::{Error, Outcome, Outputs, Transform, View};
/// struct Census;
/// cosi::declare! {
///     Census as "runtime.census" {
///         reads ControllerStatus;
///     }
/// }
/// impl Transform for Census {
///     fn transform(&self, view: &View<Self>, _: &mut Outputs<Self>) -> Result<Outcome, Error> {
///         view.list::<RuntimeStatus>();
///         Ok(Outcome::Done)
///     }
/// }
/// ```
#[macro_export]
macro_rules! declare {
    ($controller:ty as $name:literal { $($body:tt)* }) => {
        $crate::declare!(@munch $controller, $name, [] [] $($body)*);
    };
    (@munch $c:ty, $name:literal, [$($in:expr,)*] [$($out:expr,)*]) => {
        impl $crate::Declare for $c {
            const NAME: &'static str = $name;
            const INPUTS: &'static [$crate::Input] = &[$($in),*];
            const OUTPUTS: &'static [$crate::Output] = &[$($out),*];
        }
    };
    // The default namespace, spelled out.
    (@munch $c:ty, $name:literal, [$($in:expr,)*] [$($out:expr,)*] $verb:ident $ty:ty; $($rest:tt)*) => {
        $crate::declare!(@munch $c, $name, [$($in,)*] [$($out,)*]
            $verb $ty: <$ty as $crate::store::Spec>::DEFINITION.namespace; $($rest)*);
    };
    (@munch $c:ty, $name:literal, [$($in:expr,)*] [$($out:expr,)*]
        reads $ty:ty: $first:expr $(, $more:expr)*; $($rest:tt)*) => {
        impl $crate::Reads<$ty> for $c {
            const NAMESPACE: &'static str = $first;
        }
        $crate::declare!(@munch $c, $name,
            [$($in,)* $crate::Input::weak::<$ty>($first), $($crate::Input::weak::<$ty>($more),)*]
            [$($out,)*] $($rest)*);
    };
    (@munch $c:ty, $name:literal, [$($in:expr,)*] [$($out:expr,)*]
        holds $ty:ty: $first:expr $(, $more:expr)*; $($rest:tt)*) => {
        impl $crate::Reads<$ty> for $c {
            const NAMESPACE: &'static str = $first;
        }
        impl $crate::Holds<$ty> for $c {}
        $crate::declare!(@munch $c, $name,
            [$($in,)* $crate::Input::strong::<$ty>($first), $($crate::Input::strong::<$ty>($more),)*]
            [$($out,)*] $($rest)*);
    };
    (@munch $c:ty, $name:literal, [$($in:expr,)*] [$($out:expr,)*]
        writes $ty:ty: $first:expr $(, $more:expr)*; $($rest:tt)*) => {
        impl $crate::Writes<$ty> for $c {
            const NAMESPACE: &'static str = $first;
        }
        $crate::declare!(@munch $c, $name, [$($in,)*]
            [$($out,)* $crate::Output::exclusive::<$ty>($first), $($crate::Output::exclusive::<$ty>($more),)*]
            $($rest)*);
    };
    (@munch $c:ty, $name:literal, [$($in:expr,)*] [$($out:expr,)*]
        shares $ty:ty: $first:expr $(, $more:expr)*; $($rest:tt)*) => {
        impl $crate::Writes<$ty> for $c {
            const NAMESPACE: &'static str = $first;
        }
        $crate::declare!(@munch $c, $name, [$($in,)*]
            [$($out,)* $crate::Output::shared::<$ty>($first), $($crate::Output::shared::<$ty>($more),)*]
            $($rest)*);
    };
}
