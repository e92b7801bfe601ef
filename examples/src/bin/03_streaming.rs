//! Streams: from the server, from the client, both ways; back-pressure, errors and ends.
#![expect(clippy::print_stdout, reason = "a demo prints")]

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use sinew::{CallError, Mesh, StreamWriter, Streaming};
use tokio::time::sleep;

/// A weather station.
#[sinew::service]
pub trait Weather {
    /// A stream from the server.
    async fn temperatures(&self, until: Until) -> Result<Streaming<f64>, SensorError>;

    /// A stream from the client, answered when it has ended.
    async fn average(&self, readings: Streaming<f64>) -> Result<f64, CallError<SensorError>>;

    /// A stream each way: an answer for each reading, while more readings come.
    async fn in_fahrenheit(&self, celsius: Streaming<f64>) -> Result<Streaming<f64>, SensorError>;

    /// Photographs of 32 KiB, as fast as they are taken away.
    async fn photographs(&self) -> Result<Streaming<Vec<u8>>, SensorError>;
}

/// How a stream of temperatures ends after its third item.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Until {
    /// Because that was all.
    Done,
    /// With an error of the service.
    Broken,
    /// By an accident: whoever wrote it is gone.
    Gone,
}

/// The service's own error, which its streams can end with, too.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
pub enum SensorError {
    /// The sensor broke.
    #[error("the sensor is frozen")]
    Frozen,
    /// There was nothing to measure.
    #[error("there are no readings")]
    NoReadings,
}

#[derive(Clone, Default)]
struct Roof {
    photographs: Arc<AtomicU32>,
}

impl Weather for Roof {
    async fn temperatures(&self, until: Until) -> Result<Streaming<f64>, SensorError> {
        // A bounded channel: the writer here, the stream for the caller.
        let (writer, stream) = Streaming::channel();
        sinew::spawn(async move {
            for celsius in [3.0, 2.5, 2.0] {
                writer.send(celsius).await?;
            }
            match until {
                Until::Done => writer.finish().await,
                Until::Broken => writer.fail(SensorError::Frozen).await,
                Until::Gone => {
                    drop(writer);
                    Ok(())
                }
            }
        });
        Ok(stream)
    }

    async fn average(&self, mut readings: Streaming<f64>) -> Result<f64, CallError<SensorError>> {
        let (mut sum, mut count) = (0.0, 0_u32);
        while let Some(reading) = readings.next().await {
            // A stream that was cut fails here: half of the readings have another average.
            sum += reading?;
            count += 1;
        }
        if count == 0 {
            return Err(CallError::App(SensorError::NoReadings));
        }
        Ok(sum / f64::from(count))
    }

    async fn in_fahrenheit(
        &self,
        mut celsius: Streaming<f64>,
    ) -> Result<Streaming<f64>, SensorError> {
        let (writer, stream) = Streaming::channel();
        sinew::spawn(async move {
            while let Some(reading) = celsius.next().await {
                match reading {
                    Ok(celsius) => writer.send(celsius * 1.8 + 32.0).await?,
                    // What was cut on this side must not look finished on the other.
                    Err(cut) => return writer.fail(cut).await,
                }
            }
            writer.finish().await
        });
        Ok(stream)
    }

    async fn photographs(&self) -> Result<Streaming<Vec<u8>>, SensorError> {
        let (writer, stream) = Streaming::channel();
        let taken = Arc::clone(&self.photographs);
        sinew::spawn(async move { photograph(&writer, &taken).await });
        Ok(stream)
    }
}

/// Goes on until nobody looks any more: then this task, a part of the call, is dropped with it.
async fn photograph(writer: &StreamWriter<Vec<u8>>, taken: &AtomicU32) {
    let _stopped = Stopped;
    // Waits while the reader is behind.
    while writer.send(vec![0; 32 << 10]).await.is_ok() {
        taken.fetch_add(1, Ordering::Relaxed);
    }
}

struct Stopped;

impl Drop for Stopped {
    fn drop(&mut self) {
        println!("  the photographer has stopped");
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let roof = Roof::default();
    let mesh = Mesh::from_env().await?;
    let server = mesh.server().serve(WeatherServer::new(roof.clone()));
    let server = server.bind("127.0.0.1:0").await?;
    let weather: WeatherClient = mesh.client_at(format!("static:{}", server.local_addr()))?;

    println!("From the server, ending in three ways:");
    for until in [Until::Done, Until::Broken, Until::Gone] {
        println!("  {:<8}{}", format!("{until:?}"), read(&weather, until).await?);
    }

    println!("From the client:");
    let readings = Streaming::iter([1.0, 2.0, 6.0]);
    println!("  the average of 1, 2 and 6 is {}", weather.average(readings).await?);

    println!("Both ways, one for one:");
    let (writer, celsius) = Streaming::channel();
    let mut fahrenheit = weather.in_fahrenheit(celsius).await?;
    for celsius in [-40.0, 0.0, 100.0] {
        writer.send(celsius).await?;
        let answer = fahrenheit.next().await.ok_or("the stream ended early")??;
        println!("  {celsius} °C are {answer} °F");
    }
    writer.finish().await?;
    println!("  and then it ends: {}", fahrenheit.next().await.is_none());

    back_pressure(&weather, &roof).await
}

/// Reads a stream to its end, whatever that is.
async fn read(weather: &WeatherClient, until: Until) -> Result<String, Box<dyn Error>> {
    let mut stream = weather.temperatures(until).await?;
    let mut count = 0;
    loop {
        match stream.next().await {
            Some(Ok(_)) => count += 1,
            // `None` is the writer's own word for it: no more will come.
            None => return Ok(format!("{count} items, and that was all")),
            Some(Err(CallError::App(error))) => {
                return Ok(format!("{count} items, then the service's own error: {error}"));
            }
            Some(Err(CallError::Status(status))) => {
                return Ok(format!("{count} items, then no more by accident: {status}"));
            }
        }
    }
}

/// A writer that is ahead of its reader waits; nothing grows without bounds in between.
async fn back_pressure(weather: &WeatherClient, roof: &Roof) -> Result<(), Box<dyn Error>> {
    println!("Back-pressure:");
    let mut photographs = weather.photographs().await?;
    for look in 1..=3 {
        for _ in 0..10 {
            photographs.next().await.ok_or("the stream ended early")??;
        }
        sleep(Duration::from_millis(100)).await;
        let taken = roof.photographs.load(Ordering::Relaxed);
        println!("  {} photographs read, {taken} taken; now the writer waits", 10 * look);
    }
    // Nobody has to be told: dropping the stream stops its writer.
    drop(photographs);
    sleep(Duration::from_millis(100)).await;
    Ok(())
}
