//! Where workers sign in, and see who else has.

/// Who signed in.
#[derive(Default)]
pub struct Desk {
    ranks: Vec<u32>,
}

#[rayw::actor]
impl Desk {
    /// Signs a worker in.
    pub fn sign_in(&mut self, rank: u32) {
        self.ranks.push(rank);
        self.ranks.sort_unstable();
    }

    /// Who has signed in so far.
    pub fn signed_in(&self) -> Vec<u32> {
        self.ranks.clone()
    }
}
