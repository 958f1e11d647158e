//! The guest contract as `wit-bindgen` sees it: generated here once, so that
//! user code needs neither WIT nor a build script.

wit_bindgen::generate!({
    world: "rayw:core/sdk-worker",
    path: "wit",
    pub_export_macro: true,
    export_macro_name: "__rayw_export",
    default_bindings_module: "::rayw::bindings",
});
