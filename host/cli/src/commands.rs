//! One file a command: settings and a printer in, an exit status out.

mod ask;
mod build;
mod end;
mod get;
mod head;
mod job;
mod list;
mod microbenchmark;
mod new;
mod run;
mod start;
mod status;
mod stop;
mod submit;
mod summary;

pub(crate) use microbenchmark::default_component;

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::printer::PrinterHandle;
use crate::settings::Settings;
use crate::table::Clock;

/// Does what is to be done.
///
/// # Errors
/// What the process should tell before it ends.
pub fn dispatch(settings: Settings, printer: &PrinterHandle) -> Result<ExitStatus, Failure> {
    match settings {
        Settings::New(settings) => new::new(&settings, printer),
        Settings::Build(settings) => build::build(&settings, printer),
        Settings::Run(settings) => run::run(*settings, printer),
        Settings::Start(settings) => start::start(&settings, printer),
        Settings::Stop(settings) => stop::stop(&settings, printer),
        Settings::Status(settings) => status::status(&settings, printer, &Clock::system()),
        Settings::Submit(settings) => submit::submit(&settings, printer),
        Settings::Job(settings) => job::job(&settings, printer),
        Settings::Drain(settings) => job::drain(&settings, printer),
        Settings::End(settings) => end::end(settings, printer),
        Settings::List(settings) => list::list(settings, printer, &Clock::system()),
        Settings::Get(settings) => get::get(settings, printer, &Clock::system()),
        Settings::Summary(settings) => summary::summary(&settings, printer, &Clock::system()),
        Settings::Microbenchmark(settings) => microbenchmark::microbenchmark(&settings, printer),
        Settings::Version => {
            printer.out(concat!("rayw ", env!("CARGO_PKG_VERSION")));
            Ok(ExitStatus::Done)
        }
    }
}
