import LyraTraining
import Testing

@Test func unsupervisedLabelsAreThoseOfTheField() {
    #expect(TrainingSample.ignored == -100)  // PyTorch's ignore_index, which data and reference numbers use
}
