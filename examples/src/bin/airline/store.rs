//! The books of the seats, which all their servers share: a directory with a file per booking and per seat.
//!
//! ```text
//!   bookings/4711   holds "4711": a seat is being sold, or was, to this booking
//!   seats/7-1-2     the same file under a second name: that booking has seat 2 of flight 7 on day 1
//!   repeated        a line for each booking that came again
//! ```
//! A name is given once ([`hard_link`](fs::hard_link) fails where there is one), in one step, by the file system:
//! so no seat is sold twice, whoever serves, and a server that is killed leaves a seat sold or not, and nothing in
//! between. A database would be asked for the same: a unique key.

use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    path::PathBuf,
};

use crate::api::{BookingId, FlightId, Seat, SeatError};

/// These are the last seats of each flight.
pub(crate) const SEATS: u16 = 2;

#[derive(Debug, Clone)]
pub(crate) struct Store(PathBuf);

/// What is in the books.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Books {
    /// How many seats have a passenger.
    pub(crate) seats: u64,
    /// Who they are. As many as seats, or one of them has two.
    pub(crate) bookings: HashSet<BookingId>,
    /// Bookings that came a second time. The runtime promises that there are none.
    pub(crate) repeated: u64,
}

impl Store {
    /// Books in this directory, new ones if there are none.
    pub(crate) fn open(directory: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(directory.join("bookings"))?;
        fs::create_dir_all(directory.join("seats"))?;
        Ok(Self(directory))
    }

    /// Sells a seat of a flight to a booking. It is written down when this returns.
    pub(crate) fn sell(
        &self,
        booking: BookingId,
        flight: FlightId,
    ) -> io::Result<Result<Seat, SeatError>> {
        let wanted = self.0.join("bookings").join(booking.0.to_string());
        match File::create_new(&wanted) {
            Ok(mut file) => write!(file, "{}", booking.0)?,
            Err(why) if why.kind() == ErrorKind::AlreadyExists => {
                self.note_repeated(booking)?;
                return Ok(Err(SeatError::Repeated));
            }
            Err(why) => return Err(why),
        }
        for number in 1..=SEATS {
            let seat = format!("{}-{}-{number}", flight.number, flight.day);
            match fs::hard_link(&wanted, self.0.join("seats").join(seat)) {
                Ok(()) => return Ok(Ok(Seat(number))),
                Err(why) if why.kind() == ErrorKind::AlreadyExists => {}
                Err(why) => return Err(why),
            }
        }
        // Who got nothing is nobody's passenger, and may ask again.
        fs::remove_file(&wanted)?;
        Ok(Err(SeatError::SoldOut))
    }

    /// Appended in one write, so that the lines of two servers do not mix.
    fn note_repeated(&self, booking: BookingId) -> io::Result<()> {
        let line = format!("{}\n", booking.0);
        let mut file =
            OpenOptions::new().append(true).create(true).open(self.0.join("repeated"))?;
        file.write_all(line.as_bytes())
    }

    /// Reads the books.
    pub(crate) fn books(&self) -> io::Result<Books> {
        let mut books = Books::default();
        for seat in fs::read_dir(self.0.join("seats"))? {
            let booking = fs::read_to_string(seat?.path())?.parse().map_err(io::Error::other)?;
            books.seats += 1;
            books.bookings.insert(BookingId(booking));
        }
        books.repeated = match fs::read_to_string(self.0.join("repeated")) {
            Ok(lines) => lines.lines().map(|_| 1).sum(),
            Err(why) if why.kind() == ErrorKind::NotFound => 0,
            Err(why) => return Err(why),
        };
        Ok(books)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const FLIGHT: FlightId = FlightId { number: 7, day: 1 };

    /// Books that go with the test.
    pub(crate) struct Scratch(pub(crate) Store);

    impl Scratch {
        pub(crate) fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("airline-store-{}-{number}", std::process::id());
            Self(Store::open(std::env::temp_dir().join(name)).unwrap())
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0.0);
        }
    }

    #[test]
    fn servers_that_sell_at_the_same_time_sell_no_seat_twice() {
        let scratch = Scratch::new();
        let sell = |server: u64| {
            let store = Store::open(scratch.0.0.clone()).unwrap();
            let sold = (0..50).map(move |number| {
                let flight = FlightId { number, day: 1 };
                store.sell(BookingId(server << 32 | u64::from(number)), flight).unwrap()
            });
            sold.filter(Result::is_ok).count()
        };
        let sold: usize = std::thread::scope(|scope| {
            let servers: Vec<_> = (0..4).map(|server| scope.spawn(move || sell(server))).collect();
            servers.into_iter().map(|server| server.join().unwrap()).sum()
        });
        let books = scratch.0.books().unwrap();
        assert_eq!((sold, books.seats, books.bookings.len()), (100, 100, 100));
    }

    #[test]
    fn a_server_that_was_killed_before_the_sale_has_sold_nothing() {
        let Scratch(store) = &Scratch::new();
        // As far as it came: the booking has its file, and no seat.
        File::create_new(store.0.join("bookings").join("4")).unwrap();
        assert_eq!(store.books().unwrap(), Books::default());
        assert_eq!(store.sell(BookingId(5), FLIGHT).unwrap(), Ok(Seat(1)));
        let bookings = HashSet::from([BookingId(5)]);
        assert_eq!(store.books().unwrap(), Books { seats: 1, bookings, repeated: 0 });
    }
}
