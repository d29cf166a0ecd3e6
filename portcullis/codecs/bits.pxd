# What processors do with words and C has no common name for, and powers of ten; uncompiled code does
# without it.
cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    #define portcullis_low_zeros(word) __builtin_ctzll(word)
    #define portcullis_high_zeros(word) __builtin_clzll(word)
    #else
    static int portcullis_low_zeros(unsigned long long word) {
        int zeros = 0;
        while (!(word >> zeros & 1)) zeros++;
        return zeros;
    }
    static int portcullis_high_zeros(unsigned long long word) {
        int zeros = 0;
        while (!(word << zeros >> 63)) zeros++;
        return zeros;
    }
    #endif
    static const unsigned long long portcullis_powers[19] = {
        1ULL, 10ULL, 100ULL, 1000ULL, 10000ULL, 100000ULL, 1000000ULL, 10000000ULL, 100000000ULL,
        1000000000ULL, 10000000000ULL, 100000000000ULL, 1000000000000ULL, 10000000000000ULL,
        100000000000000ULL, 1000000000000000ULL, 10000000000000000ULL, 100000000000000000ULL,
        1000000000000000000ULL
    };
    #ifdef __SIZEOF_INT128__
    /* 2^64 / 10^1 to 10^8, rounded up. */
    static const unsigned long long portcullis_inverses[8] = {
        1844674407370955162ULL, 184467440737095517ULL, 18446744073709552ULL,
        1844674407370956ULL, 184467440737096ULL, 18446744073710ULL,
        1844674407371ULL, 184467440738ULL
    };
    #endif
    static inline unsigned long long portcullis_whole(
            unsigned long long value, unsigned long long decimals) {
    #ifdef __SIZEOF_INT128__
        /* A division of 64 bits takes 40 cycles on older processors, a multiplication 4. Exact:
           an inverse times 10^decimals is above 2^64 by at most 10^8, and 2^37 * 10^8 < 2^64. */
        if (decimals - 1 < 8 && value >> 37 == 0)
            return (unsigned long long)((unsigned __int128)value
                                        * portcullis_inverses[decimals - 1] >> 64);
    #endif
        return value / portcullis_powers[decimals];
    }
    """
    # Zero bits below the lowest, and above the highest, bit that is set; the word is not zero.
    int low_zeros "portcullis_low_zeros"(unsigned long long word) noexcept nogil
    int high_zeros "portcullis_high_zeros"(unsigned long long word) noexcept nogil
    # 10^0 to 10^18.
    const unsigned long long* POWERS "portcullis_powers"
    # value / 10^decimals, whole.
    unsigned long long whole_of "portcullis_whole"(
        unsigned long long value, unsigned long long decimals
    ) noexcept nogil
