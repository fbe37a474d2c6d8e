//! Which regions are near a client.

use crate::config::Region;

/// A place, in whole degrees: latitude north, longitude east.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// -90 to 90.
    pub latitude: i16,
    /// -180 to 180.
    pub longitude: i16,
}

/// Where the regions' data centres stand, about: the middle of the largest.
const CENTRES: [(Region, Place); 9] = [
    (Region::Wnam, Place { latitude: 38, longitude: -119 }),
    (Region::Enam, Place { latitude: 40, longitude: -78 }),
    (Region::Sam, Place { latitude: -20, longitude: -50 }),
    (Region::Weur, Place { latitude: 50, longitude: 3 }),
    (Region::Eeur, Place { latitude: 50, longitude: 22 }),
    (Region::Apac, Place { latitude: 20, longitude: 110 }),
    (Region::Oc, Place { latitude: -33, longitude: 151 }),
    (Region::Afr, Place { latitude: -20, longitude: 28 }),
    (Region::Me, Place { latitude: 25, longitude: 50 }),
];

/// Cosines of 0, 10, ... 90 degrees, in thousandths.
const COSINES: [i64; 10] = [1000, 985, 940, 866, 766, 643, 500, 342, 174, 0];

/// The regions by their distances from a client.
#[derive(Debug, Clone, Copy)]
pub struct Ranks([(Region, u16); CENTRES.len()]);

impl Ranks {
    /// Of a client there.
    pub fn from(client: Place) -> Ranks {
        let distances = CENTRES.map(|(region, centre)| (region, squared(client, centre)));
        Ranks(distances.map(|(region, own)| {
            let nearer = distances.iter().filter(|(_, other)| *other < own).count();
            (region, u16::try_from(nearer).unwrap_or(u16::MAX))
        }))
    }

    /// How many regions are nearer to the client: the nearest one has rank 0.
    pub fn of(&self, region: Region) -> u16 {
        self.0.iter().find(|(known, _)| *known == region).map_or(u16::MAX, |(_, rank)| *rank)
    }
}

/// The square of a distance, good enough to tell which of two continents is nearer: degrees on a map whose longitudes are as narrow
/// as half-way between the two places.
fn squared(one: Place, other: Place) -> i64 {
    let north = i64::from(one.latitude) - i64::from(other.latitude);
    let east = (i64::from(one.longitude) - i64::from(other.longitude)).abs();
    let east = east.min(360 - east);
    let middle = (i64::from(one.latitude) + i64::from(other.latitude)).abs() / 2;
    let cosine = COSINES[usize::try_from(middle / 10).unwrap_or_default().min(9)];
    let east = east * cosine / 1000;
    north * north + east * east
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_region_comes_first() {
        for (city, latitude, longitude, nearest) in [
            ("Lisbon", 39, -9, Region::Weur),
            ("Berlin", 52, 13, Region::Eeur),
            ("Kyiv", 50, 30, Region::Eeur),
            ("Seattle", 48, -122, Region::Wnam),
            ("Boston", 42, -71, Region::Enam),
            ("Lima", -12, -77, Region::Sam),
            ("Dubai", 25, 55, Region::Me),
            ("Cape Town", -34, 18, Region::Afr),
            ("Sydney", -34, 151, Region::Oc),
            ("Auckland", -37, 175, Region::Oc),
            ("Tokyo", 36, 140, Region::Apac),
            // Across the date line.
            ("Suva", -18, 178, Region::Oc),
            ("Anchorage", 61, -150, Region::Wnam),
        ] {
            let client = Place { latitude, longitude };
            let ranks = Ranks::from(client);
            let first = CENTRES.iter().find(|(region, _)| ranks.of(*region) == 0).map(|(region, _)| *region);
            assert_eq!(first, Some(nearest), "{city}");
        }
    }

    #[test]
    fn a_region_further_away_comes_later() {
        let paris = Place { latitude: 49, longitude: 2 };
        let ranks: Vec<u16> = [Region::Weur, Region::Eeur, Region::Me, Region::Enam, Region::Oc]
            .map(|region| Ranks::from(paris).of(region))
            .to_vec();
        assert!(ranks.is_sorted(), "{ranks:?}");
    }
}
